-- grain: account and day of the run, from its first known subscription on; monthly recurring revenue, trials left out
{{ config(materialized='table') }}
{%- set earliest = add_days(from_day(), -90) %}
with versions as (
    select
        account_id,
        mrr,
        is_trial,
        greatest(started_on, known_from) as opens,
        least(coalesce(ended_on, date '9999-12-31'), coalesce(known_until, date '9999-12-31')) as closes
    from {{ ref('int_billing__subscription_versions') }}
    where greatest(started_on, known_from) <= {{ to_day() }}
),

running as (
    select * from versions
    where opens < closes and not is_trial
),

changes as (
    select account_id, greatest(opens, {{ earliest }}) as day, mrr, 1 as subscriptions
    from running
    where closes > {{ earliest }}
    union all
    select account_id, closes as day, -mrr as mrr, -1 as subscriptions
    from running
    where closes > {{ earliest }} and closes <= {{ to_day() }}
),

changed as (
    select
        account_id,
        day,
        sum(mrr) as mrr,
        sum(subscriptions) as subscriptions
    from changes
    group by account_id, day
),

first_known as (
    select
        account_id,
        min(opens) as first_day
    from versions
    group by account_id
),

summed as (
    select
        first_known.account_id,
        days.day,
        coalesce(sum(changed.mrr) over account_days, 0) as mrr,
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
