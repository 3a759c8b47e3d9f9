{# The measures there are: every column under models/measures whose yml carries `meta.measure`. In the order of their names. #}
{% macro measures_defined() %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | sort(attribute='name') -%}
            {%- for column in node.columns.values() if column.meta.get('measure') -%}
                {%- do found.append(dict(column.meta['measure'], name=column.name, model=node.name)) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found | sort(attribute='name')) }}
{% endmacro %}
