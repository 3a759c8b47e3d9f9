{# True where a table has days after those of the run. #}
{% macro has_days_after(relation) %}
    {%- if not execute -%}{{ return(true) }}{%- endif -%}
    {%- set found = run_query('select count(*) from ' ~ relation ~ ' where day > ' ~ to_day()) -%}
    {{ return(found.rows[0][0] > 0) }}
{% endmacro %}
