-- grain: account and day of the run; its MRR 365 days before, as known then; 0 before its first subscription
{{ config(materialized='table') }}
with a_year_on as (
    select
        account_id,
        {{ add_days('day', 365) }} as day,
        mrr_added as mrr_12m_ago,
        unknown_added as unknown_12m_ago,
        subscriptions_added as subscriptions_12m_ago
    from {{ ref('int_billing__mrr_points') }}
),

as_of as (
    {{ as_of_day('a_year_on', ['mrr_12m_ago', 'unknown_12m_ago', 'subscriptions_12m_ago']) }}
)

select
    account_id,
    day,
    case when unknown_12m_ago = 0 then mrr_12m_ago end as mrr_12m_ago,
    subscriptions_12m_ago
from as_of
