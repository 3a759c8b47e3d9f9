-- grain: account, day of the run and measure; the mean of the account's own values 28 to 84 days ago, if of 28 days
{{ config(materialized='table') }}
with wanted as (
    select distinct measure
    from {{ source('raw_config', 'scorecard_measures') }}
    where normalise = 'own_baseline'
),

-- Decimals: their sum does not depend on the order of the additions. Fifteen places, as a ratio may be small.
valued as (
    select
        kept.account_id,
        kept.day,
        kept.measure,
        try_cast(kept.value as decimal(34, 15)) as value
    from {{ ref('int_measures_kept') }} as kept
    inner join wanted
        on kept.measure = wanted.measure
    where kept.day between {{ add_days(from_day(), -84) }} and {{ to_day() }}
),

summed as (
    select
        account_id,
        day,
        measure,
        count(value) over own_past as days,
        cast(sum(value) over own_past as double) as total
    from valued
    window own_past as (partition by account_id, measure order by day {{ days_before(84, 28) }})
),

final as (
    select
        account_id,
        day,
        measure,
        days,
        total / days as baseline
    from summed
    where day >= {{ from_day() }} and days >= 28 and total > 0
)

select * from final
