-- grain: account and day of the run, from its first known subscription on; monthly recurring revenue, trials left out
-- NULL while a subscription runs whose MRR nobody has told.
{{ config(materialized='table') }}
{%- set earliest = add_days(from_day(), -90) %}
with points as (
    select * from {{ ref('int_billing__mrr_points') }}
),

changed as (
    select
        account_id,
        greatest(day, {{ earliest }}) as day,
        sum(mrr_added) as mrr,
        sum(unknown_added) as unknown,
        sum(subscriptions_added) as subscriptions
    from points
    group by account_id, greatest(day, {{ earliest }})
),

first_known as (
    select
        account_id,
        min(day) as first_day
    from points
    group by account_id
),

summed as (
    select
        first_known.account_id,
        days.day,
        case
            when coalesce(sum(changed.unknown) over account_days, 0) = 0
                then coalesce(sum(changed.mrr) over account_days, 0)
        end as mrr,
        coalesce(sum(changed.subscriptions) over account_days, 0) as subscriptions
    from first_known
    inner join ({{ days_table(earliest, to_day()) }}) as days
        on days.day >= first_known.first_day
    left join changed
        on first_known.account_id = changed.account_id and days.day = changed.day
    window account_days as (partition by first_known.account_id order by days.day rows unbounded preceding)
),

compared as (
    select
        account_id,
        day,
        cast(mrr as decimal(18, 4)) as mrr,
        cast(subscriptions as bigint) as subscriptions,
        cast(lag(mrr, 90) over (partition by account_id order by day) as decimal(18, 4)) as mrr_90d_ago
    from summed
)

select * from compared
where day >= {{ from_day() }}
