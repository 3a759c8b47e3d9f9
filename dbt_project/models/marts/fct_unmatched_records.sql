-- grain: source, entity and record; a provider's records whose customer is none of the accounts, and why
-- Of usage only the customers are listed: their events may be millions.
{%- set records = [
    ('users', 'user_id'), ('subscriptions', 'subscription_id'), ('invoices', 'invoice_id'), ('tickets', 'ticket_id'),
    ('survey_responses', 'response_id'), ('engagement_events', 'engagement_id'), ('outcomes', 'outcome_id'),
] %}
{%- for entity, key in records if not execute %}
{%- for provider in providers_of(entity) %}{% do ref('stg_' ~ provider ~ '__' ~ entity) %}{% endfor %}
{%- endfor %}
with customers as (
    select
        source,
        customer_id,
        reason
    from {{ ref('int_identity__customers') }}
    where account_id is null
),

records as (
    {%- for entity, key in records %}
    {%- for provider in enabled_of(entity) %}
    select distinct source, '{{ entity }}' as entity, {{ key }} as record_id, account_id as customer_id
    from {{ ref('stg_' ~ provider ~ '__' ~ entity) }}
    union all
    {%- endfor %}
    {%- endfor %}
    select
        source,
        'customers' as entity,
        customer_id as record_id,
        customer_id
    from customers
),

final as (
    select
        records.source,
        records.entity,
        records.record_id,
        records.customer_id,
        coalesce(customers.reason, 'the customer is not among those received') as reason
    from records
    left join {{ ref('int_identity__customers') }} as known
        on records.source = known.source and records.customer_id = known.customer_id
    left join customers
        on records.source = customers.source and records.customer_id = customers.customer_id
    where known.account_id is null
)

select
    cast(source as string) as source,
    cast(entity as string) as entity,
    cast(record_id as string) as record_id,
    cast(customer_id as string) as customer_id,
    cast(reason as string) as reason
from final
