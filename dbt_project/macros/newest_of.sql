{# Rows of a provider's raw table: each object as it was last received. #}
{% macro newest_of(relation) -%}
    select *
    from {{ relation }}
    qualify row_number() over (partition by id order by _seq desc) = 1
{%- endmacro %}
