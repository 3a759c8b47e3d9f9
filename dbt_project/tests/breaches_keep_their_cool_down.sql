-- A breach does not open again in the cool-down of its rule.
{{ config(meta={'dagster': {'ref': {'name': 'fct_breaches'}}}) }}
with breaches as (
    select
        rule,
        account_id,
        opened_on,
        lag(closed_on) over (partition by rule, account_id order by opened_on) as closed_before
    from {{ ref('fct_breaches') }}
)

select
    breaches.rule,
    breaches.account_id,
    breaches.opened_on,
    breaches.closed_before
from breaches
inner join {{ source('raw_config', 'alert_rules') }} as rules
    on breaches.rule = rules.rule
where breaches.opened_on < {{ add_days('breaches.closed_before', 'rules.cool_down_days') }}
