{# A score held down by a cap and up by a floor; either may be NULL. Of two that cross, the cap holds. #}
{% macro held(score, cap, floor) -%}
    case
        when {{ score }} > {{ cap }} or {{ floor }} > {{ cap }} then {{ cap }}
        when {{ score }} < {{ floor }} then {{ floor }}
        else {{ score }}
    end
{%- endmacro %}
