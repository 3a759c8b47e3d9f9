-- grain: account and month, from the first month that it ended as a paying customer to the last month over by the run's
-- last day, none left out; MRR at the month's end against the end of the month before, trials left out
-- Where one of the two is not known, neither is the class.
{{ config(materialized='table') }}
with points as (
    select * from {{ ref('int_billing__mrr_points') }}
),

spine as (
    select
        accounts.account_id,
        days.day as month_end
    from (select account_id, min(day) as first_day from points group by account_id) as accounts
    inner join (
        select day
        from ({{ days_table('(select min(day) from ' ~ ref('int_billing__mrr_points') ~ ')', to_day()) }}) as every_day
        where day = {{ month_end('day') }}
    ) as days
        on days.day >= accounts.first_day
),

placed as (
    select
        account_id,
        {{ month_end('day') }} as month_end,
        sum(mrr_added) as mrr_added,
        sum(unknown_added) as unknown_added
    from points
    group by account_id, {{ month_end('day') }}
),

summed as (
    select
        spine.account_id,
        spine.month_end,
        cast(coalesce(sum(placed.mrr_added) over account_months, 0) as decimal(18, 4)) as known_mrr,
        coalesce(sum(placed.unknown_added) over account_months, 0) as unknown
    from spine
    left join placed
        on spine.account_id = placed.account_id and spine.month_end = placed.month_end
    window account_months as (partition by spine.account_id order by spine.month_end rows unbounded preceding)
),

-- Before the first month an account had none, and that is known.
valued as (
    select
        account_id,
        month_end,
        case when unknown = 0 then known_mrr end as mrr,
        lag(unknown, 1, 0) over account_months as unknown_before,
        lag(known_mrr, 1, 0) over account_months as known_before
    from summed
    window account_months as (partition by account_id order by month_end)
),

compared as (
    select
        account_id,
        month_end,
        mrr,
        case when unknown_before = 0 then known_before end as mrr_before,
        max(mrr) over months_before as most_before,
        max(unknown_before) over months_so_far as most_unknown_before,
        sum(mrr) over last_12 as mrr_of_12_months,
        max(coalesce(mrr, 1)) over months_so_far as most_so_far
    from valued
    window
        months_before as (
            partition by account_id order by month_end rows between unbounded preceding and 1 preceding
        ),
        months_so_far as (partition by account_id order by month_end rows unbounded preceding),
        last_12 as (partition by account_id order by month_end rows between 11 preceding and current row)
),

final as (
    select
        account_id,
        month_end,
        mrr,
        mrr_before,
        cast(mrr - mrr_before as decimal(18, 4)) as mrr_change,
        case
            when mrr is null or mrr_before is null then null
            when mrr > 0 and coalesce(most_before, 0) = 0 and most_unknown_before > 0 then null
            when mrr > 0 and coalesce(most_before, 0) = 0 then 'new'
            when mrr > 0 and mrr_before = 0 then 'reactivation'
            when mrr = 0 and mrr_before > 0 then 'churn'
            when mrr > mrr_before then 'expansion'
            when mrr < mrr_before then 'contraction'
            else 'unchanged'
        end as class,
        case
            when count(mrr) over last_12 = count(*) over last_12 then cast(mrr_of_12_months as decimal(18, 4))
        end as mrr_of_12_months,
        count(*) over last_12 as months_of_12
    from compared
    where most_so_far > 0
    window last_12 as (partition by account_id order by month_end rows between 11 preceding and current row)
)

select * from final
