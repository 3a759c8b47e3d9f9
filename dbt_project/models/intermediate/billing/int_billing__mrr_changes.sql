-- grain: account and month, from the first month that it ended as a paying customer to the last month over by the run's
-- last day, none left out; MRR at the month's end against the end of the month before, trials left out
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
        sum(mrr_added) as mrr_added
    from points
    group by account_id, {{ month_end('day') }}
),

summed as (
    select
        spine.account_id,
        spine.month_end,
        cast(
            coalesce(
                sum(placed.mrr_added) over (
                    partition by spine.account_id order by spine.month_end rows unbounded preceding
                ),
                0
            ) as decimal(18, 4)
        ) as mrr
    from spine
    left join placed
        on spine.account_id = placed.account_id and spine.month_end = placed.month_end
),

compared as (
    select
        account_id,
        month_end,
        mrr,
        coalesce(lag(mrr) over account_months, 0) as mrr_before,
        max(mrr) over (account_months rows between unbounded preceding and 1 preceding) as most_before,
        sum(mrr) over (account_months rows between 11 preceding and current row) as mrr_of_12_months,
        max(mrr) over (account_months rows unbounded preceding) as most_so_far
    from summed
    window account_months as (partition by account_id order by month_end)
),

final as (
    select
        account_id,
        month_end,
        mrr,
        mrr_before,
        cast(mrr - mrr_before as decimal(18, 4)) as mrr_change,
        case
            when mrr > 0 and coalesce(most_before, 0) = 0 then 'new'
            when mrr > 0 and mrr_before = 0 then 'reactivation'
            when mrr = 0 and mrr_before > 0 then 'churn'
            when mrr > mrr_before then 'expansion'
            when mrr < mrr_before then 'contraction'
            else 'unchanged'
        end as class,
        cast(mrr_of_12_months as decimal(18, 4)) as mrr_of_12_months,
        count(*) over (
            partition by account_id order by month_end rows between 11 preceding and current row
        ) as months_of_12
    from compared
    where most_so_far > 0
)

select * from final
