{# All columns (of a table `of`) without these: one name, or a list of them. #}
{% macro all_but(names, of=none) %}{{ return(adapter.dispatch('all_but')(names, of)) }}{% endmacro %}
{% macro default__all_but(names, of) -%}
    {{ of ~ '.' if of }}* exclude ({{ names if names is string else names | join(', ') }})
{%- endmacro %}
{% macro spark__all_but(names, of) -%}
    {{ of ~ '.' if of }}* except ({{ names if names is string else names | join(', ') }})
{%- endmacro %}

{# All rows of both sides, columns by their names; a column that one side lacks is NULL there. #}
{% macro union_by_name() %}{{ return(adapter.dispatch('union_by_name')()) }}{% endmacro %}
{% macro default__union_by_name() -%} union all by name {%- endmacro %}
{% macro spark__union_by_name() -%}
    {{ exceptions.raise_compiler_error('providers called over an API need the engine duckdb; with spark, sources are files') }}
{%- endmacro %}
