{# These columns of a table that an older version of the project may have made: what it does not have is NULL. #}
{% macro columns_of(relation, columns) -%}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- for name in columns %}{{ name if name in there else 'null as ' ~ name }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}
