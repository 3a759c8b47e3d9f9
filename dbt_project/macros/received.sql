{# The providers called over their API that have rows of an entity, each in stg_<provider>__<entity>; `customers` are
   those that have customers of their own, to be matched to accounts. The one place that lists them. #}
{% macro providers_of(entity) %}
    {{ return({
        'customers': ['chargebee', 'delighted', 'freshdesk', 'hubspot', 'intercom', 'posthog', 'salesforce', 'stripe', 'typeform', 'zendesk'],
        'subscriptions': ['chargebee', 'stripe'],
        'survey_responses': ['delighted', 'hubspot', 'typeform'],
        'tickets': ['freshdesk', 'intercom', 'zendesk'],
        'accounts': ['hubspot', 'salesforce'],
        'usage_events': ['posthog'],
        'invoices': ['chargebee', 'stripe'],
    }.get(entity, [])) }}
{% endmacro %}

{# Rows of an entity from every provider that is enabled, with their origin in `source`: the files, and the others.

   Rows of the others name their own customer in account_id; here it becomes our account, or NULL where none matches. A
   column that a provider does not have is NULL. HEALTH_SOURCES lists the providers enabled: of the others not even the
   tables need to be there. It is read when dbt runs and not when it parses, so that one parse serves every company. #}
{% macro received(entity) %}
    {%- for provider in providers_of(entity) if not execute -%}
        {%- do ref('stg_' ~ provider ~ '__' ~ entity) -%}{%- do ref('int_identity__customers') -%}
    {%- endfor -%}
    {%- set enabled = enabled_of(entity) -%}
    {%- if not enabled -%}
        {{ ref('stg_files__' ~ entity) }}
    {%- else -%}
        (
            select * from {{ ref('stg_files__' ~ entity) }}
            {%- for provider in enabled %}
            {{ union_by_name() }}
            select {{ all_but('account_id', of='given') }}, customers.account_id
            from {{ ref('stg_' ~ provider ~ '__' ~ entity) }} as given
            left join {{ ref('int_identity__customers') }} as customers
                on given.source = customers.source and given.account_id = customers.customer_id
            {%- endfor %}
        )
    {%- endif -%}
{% endmacro %}

{# Accounts from every source: the same, but they name themselves. #}
{% macro accounts_received() %}
    {%- for provider in providers_of('accounts') if not execute -%}
        {%- do ref('stg_' ~ provider ~ '__accounts') -%}
    {%- endfor -%}
    (
        select * from {{ ref('stg_files__accounts') }}
        {%- for provider in enabled_of('accounts') %}
        {{ union_by_name() }}
        select * from {{ ref('stg_' ~ provider ~ '__accounts') }}
        {%- endfor %}
    )
{% endmacro %}

{# Those of the entity's providers that this run reads; none while dbt parses. #}
{% macro enabled_of(entity) %}
    {%- set found = [] -%}
    {%- for provider in providers_of(entity) if is_enabled(provider) -%}
        {%- do found.append(provider) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{% macro is_enabled(provider) %}
    {{ return(execute and provider in env_var('HEALTH_SOURCES', '').split(',')) }}
{% endmacro %}
