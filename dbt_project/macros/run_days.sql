{# The days this run works on. The run writes them to raw_meta.run_days (one row) and raw_meta.fact_days before dbt starts;
   nothing in this project asks a clock what day it is. A table and not --vars: changed variables make dbt parse all files again. #}
{% macro run_day(name) -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'compile', 'show') -%}
        date '{{ run_days()[name] }}'
    {%- else -%}
        date '1970-01-01'
    {%- endif -%}
{%- endmacro %}

{# The row of raw_meta.run_days. It is asked for hundreds of times and stays the same while dbt runs: it is read once and
   kept in `graph`, which all models share. #}
{% macro run_days() %}
    {%- if 'run_days' not in graph -%}
        {%- set found = run_query('select * from raw_meta.run_days') -%}
        {%- if not found or found.rows | length != 1 -%}
            {{ exceptions.raise_compiler_error('raw_meta.run_days should hold one row: run dbt through `health run`, which plans the days') }}
        {%- endif -%}
        {%- do graph.update({'run_days': found.rows[0].dict()}) -%}
    {%- endif -%}
    {{ return(graph['run_days']) }}
{% endmacro %}

{# First and last day to score. #}
{% macro from_day() %}{{ run_day('from_day') }}{% endmacro %}
{% macro to_day() %}{{ run_day('to_day') }}{% endmacro %}

{# First day whose rolling windows are missing or must be made again. #}
{% macro windows_from_day() %}{{ run_day('windows_from_day') }}{% endmacro %}

{# First day on which an earlier copy of an event counts as such. #}
{% macro repeats_from_day() %}{{ run_day('repeats_from_day') }}{% endmacro %}

{# True for a day whose facts this run builds again. #}
{% macro is_fact_day(day) %}{{ day }} in (select day from raw_meta.fact_days){% endmacro %}
