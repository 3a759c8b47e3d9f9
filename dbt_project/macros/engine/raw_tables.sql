{# What an engine needs before it can read the raw tables; runs once, before the models. DuckDB has them in its own file. Spark
   reads the Parquet that the loader leaves in a folder a table, through views that are made anew each time: their columns
   may be others now. #}
{% macro attach_raw_tables() %}{{ return(adapter.dispatch('attach_raw_tables')()) }}{% endmacro %}
{% macro default__attach_raw_tables() %}{% endmacro %}
{% macro spark__attach_raw_tables() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set tables = ['raw_meta.run_days', 'raw_meta.fact_days', 'raw_meta.loaded_files'] -%}
    {%- for source in graph.sources.values() if not source.tags or is_enabled(source.tags[0]) -%}
        {%- do tables.append(source.schema ~ '.' ~ source.identifier) -%}
    {%- endfor -%}
    {%- set schemas = [] -%}
    {%- for table in tables if table.split('.')[0] not in schemas -%}
        {%- do schemas.append(table.split('.')[0]) -%}
    {%- endfor -%}
    {%- for schema in schemas -%}
        {%- do run_query('create schema if not exists ' ~ schema) -%}
    {%- endfor -%}
    {%- for table in tables -%}
        {%- set folder = env_var('HEALTH_RAW') ~ '/' ~ table | replace('.', '/') -%}
        {%- do run_query('create or replace view ' ~ table ~ ' as select * from parquet.`' ~ folder ~ '`') -%}
    {%- endfor -%}
{% endmacro %}
