{# A user of no organization as a customer: organizations have numbers of their own. #}
{% macro zendesk_user(id) -%}
    'user ' || {{ id }}
{%- endmacro %}
