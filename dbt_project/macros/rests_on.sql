{# True for a measure that is not known without rows of the entity (`needs` of its meta). #}
{% macro rests_on(measure, entity) -%}
    {%- set names = [] -%}
    {%- for defined in measures_defined() if needs_entity(defined, entity) -%}
        {%- do names.append("'" ~ defined.name ~ "'") -%}
    {%- endfor -%}
    {{ measure }} in ({{ names | join(', ') if names else 'null' }})
{%- endmacro %}

{% macro needs_entity(defined, entity) %}
    {%- set needed = [] -%}
    {%- for column in defined.needs if column.split('.')[0] == entity -%}{%- do needed.append(column) -%}{%- endfor -%}
    {{ return(needed | length > 0) }}
{% endmacro %}
