{# A band as a number, the worst 1; NULL for insufficient_data, which is neither better nor worse than another. #}
{% macro band_rank(band) -%}
    case {{ band }} when 'red' then 1 when 'yellow' then 2 when 'green' then 3 end
{%- endmacro %}
