{# Data test: the columns together name a row once, and none of them is missing, nor of `never_missing`: one query, where a test
   a column would take as long to set up as the models. Of a table whose days are replaced, only the
   days that the run has made: the others are as they were when this test passed, and a day is part of what names a row. #}
{% test unique_together(model, columns, never_missing=[]) %}
{%- set replaces = replaced_days_of(model) %}
select {{ columns | join(', ') }}, count(*) as rows_found
from {{ model }}
{%- if replaces %}
where ({{ replaced_rows(replaces, model) }}){% for column in columns + never_missing %} or {{ column }} is null{% endfor %}
{%- endif %}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns %} or {{ column }} is null{% endfor %}
    {%- for column in never_missing %} or count({{ column }}) < count(*){% endfor %}
{% endtest %}

{# What config(replaces=...) of the model says; nothing for a model that is made as a whole. #}
{% macro replaced_days_of(model) %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model.identifier -%}
            {%- do found.append(node.config.get('replaces')) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found | first) }}
{% endmacro %}
