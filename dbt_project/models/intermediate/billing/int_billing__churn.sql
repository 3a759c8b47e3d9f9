-- grain: day of the run; of the accounts that paid 365 days before, as known then, how many no longer do
-- An account pays while it has MRR, trials left out. Where nobody can say whether it still pays, because the MRR of all
-- that runs is not known, it is left out of both.
{{ config(materialized='table') }}
with points as (
    select account_id, day, mrr_added, unknown_added, 0 as mrr_added_12m_ago
    from {{ ref('int_billing__mrr_points') }}
    union all
    select account_id, {{ add_days('day', 365) }}, 0, 0, mrr_added
    from {{ ref('int_billing__mrr_points') }}
),

changed as (
    select
        points.account_id,
        greatest(points.day, {{ from_day() }}) as day,
        sum(points.mrr_added) as mrr_added,
        sum(points.unknown_added) as unknown_added,
        sum(points.mrr_added_12m_ago) as mrr_added_12m_ago
    from points
    inner join {{ ref('int_accounts__known') }} as known
        on points.account_id = known.account_id
    where points.day <= {{ to_day() }}
    group by points.account_id, greatest(points.day, {{ from_day() }})
),

summed as (
    select
        account_id,
        day,
        sum(mrr_added) over so_far as mrr,
        sum(unknown_added) over so_far as unknown,
        sum(mrr_added_12m_ago) over so_far as mrr_12m_ago
    from changed
    window so_far as (partition by account_id order by day rows unbounded preceding)
),

judged as (
    select
        account_id,
        day,
        case when mrr_12m_ago > 0 and (mrr > 0 or unknown = 0) then 1 else 0 end as paying,
        case when mrr_12m_ago > 0 and mrr = 0 and unknown = 0 then 1 else 0 end as lost
    from summed
),

stepped as (
    select
        day,
        paying - coalesce(lag(paying) over account_days, 0) as paying_change,
        lost - coalesce(lag(lost) over account_days, 0) as lost_change
    from judged
    window account_days as (partition by account_id order by day)
),

by_day as (
    select
        day,
        sum(paying_change) as paying_change,
        sum(lost_change) as lost_change
    from stepped
    group by day
),

final as (
    select
        days.day,
        cast(coalesce(sum(by_day.paying_change) over so_far, 0) as bigint) as accounts_paying_12m_ago,
        cast(coalesce(sum(by_day.lost_change) over so_far, 0) as bigint) as accounts_lost
    from ({{ days_table(from_day(), to_day()) }}) as days
    left join by_day
        on days.day = by_day.day
    window so_far as (order by days.day rows unbounded preceding)
)

select * from final
