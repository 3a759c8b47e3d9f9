{# Scores and weights are summed as decimals: their sum does not depend on the order of the additions, so a day computed
   alone and the same day within a year come out the same to the last byte. Twelve places are far below the 1e-9 we compare at. #}
{% macro as_points(number) %}cast({{ number }} as decimal(18, 12)){% endmacro %}

{# A score for comparing with the edge of a band: what rounding left at the twelfth place must not make a 75 yellow. #}
{% macro as_shown(score) %}round({{ score }}, 9){% endmacro %}
