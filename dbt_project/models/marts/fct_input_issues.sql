-- grain: source, entity and kind of issue; what was wrong with the input, counted
{%- set reachable = [
    ('tickets', 'int_support__tickets', 'ticket_id'),
    ('survey_responses', 'int_survey__responses', 'response_id'),
    ('invoices', 'int_billing__invoices', 'invoice_id'),
    ('engagement_events', 'int_engagement__events', 'engagement_id'),
    ('outcomes', 'int_outcomes__outcomes', 'outcome_id'),
    ('pulses', 'int_judgement__pulses', 'account_id'),
    ('overrides', 'int_judgement__overrides', 'override_id'),
] %}
{%- set keyed = [
    ('users', 'user_id'), ('tickets', 'ticket_id'), ('survey_responses', 'response_id'), ('invoices', 'invoice_id'),
    ('engagement_events', 'engagement_id'), ('outcomes', 'outcome_id'), ('overrides', 'override_id'),
] %}
with rejected as (
    select
        source,
        entity,
        'rejected' as issue,
        'row set aside: ' || reason as title,
        count(*) as rows,
        min(file || ' line ' || cast(line as varchar)) as example
    from {{ source('raw_quarantine', 'rejected_rows') }}
    group by source, entity, reason
),

usage as (
    select
        'files' as source,
        'usage_events' as entity,
        sum(repeats) as repeats,
        sum(without_account) as without_account,
        sum(before_subscription) as before_subscription
    from {{ ref('int_usage__arrivals') }}
),

counted as (
    select source, entity, issue, title, rows, example from rejected
    union all
    select source, entity, 'repeated_id', 'event id seen before; the first row counts', repeats, null from usage
    union all
    select source, entity, 'unknown_account', 'account is not among the accounts; kept, not scored', without_account, null
    from usage
    union all
    select
        source, entity, 'before_subscription', 'dated before its subscription began; counted as usage all the same',
        before_subscription, null
    from usage
    {%- for entity, model, key in reachable %}
    union all
    select
        source, '{{ entity }}', 'unknown_account', 'account is not among the accounts; kept, not scored', count(*),
        min(cast({{ key }} as varchar))
    from {{ ref(model) }}
    where not is_account_known
    group by source
    {%- endfor %}
    {%- for entity, key in keyed %}
    union all
    select 'files', '{{ entity }}', 'repeated_id', 'id seen before; the first row counts', sum(copies - 1), min(id)
    from (
        select {{ key }} as id, count(*) as copies from {{ source('raw_files', entity) }}
        group by {{ key }}
        having count(*) > 1
    )
    {%- endfor %}
    union all
    select
        subscriptions.source, 'subscriptions', 'unknown_account', 'account is not among the accounts; kept, not scored',
        count(*), min(subscriptions.subscription_id)
    from {{ ref('int_billing__subscription_accounts') }} as latest
    inner join {{ ref('int_billing__subscription_versions') }} as subscriptions
        on latest.subscription_id = subscriptions.subscription_id and subscriptions.known_until is null
    left join {{ ref('int_accounts__known') }} as known
        on latest.account_id = known.account_id
    where known.account_id is null
    group by subscriptions.source
    union all
    select source, 'tickets', 'no_rating', 'ticket without a CSAT rating', count(*), min(ticket_id)
    from {{ ref('int_support__tickets') }}
    where csat_rating is null
    group by source
    union all
    select
        accounts.source, 'accounts', 'churn_contradicted',
        case
            when accounts.is_churned then 'marked as churned, without a churn among the outcomes'
            else 'not marked as churned, with a churn among the outcomes'
        end,
        count(*), min(accounts.account_id)
    from {{ ref('int_accounts__versions') }} as accounts
    left join (
        select distinct account_id from {{ ref('int_outcomes__outcomes') }}
        where kind = 'churn'
    ) as churned
        on accounts.account_id = churned.account_id
    where accounts.known_until is null and accounts.is_churned <> (churned.account_id is not null)
    group by accounts.source, accounts.is_churned
    union all
    select
        source, 'subscriptions', 'churn_contradicted', 'its churn mark and its end contradict each other', count(*),
        min(subscription_id)
    from {{ ref('int_billing__subscription_versions') }}
    where known_until is null and is_churned <> (ended_on is not null)
    group by source
),

final as (
    select
        source,
        entity,
        issue,
        title,
        cast(rows as bigint) as rows,
        cast(example as varchar) as example
    from counted
    where rows > 0
)

select * from final
