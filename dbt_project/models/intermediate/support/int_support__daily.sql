-- grain: account and day of the run on which a count changed (the run's first day holds what stood before)
{{ config(materialized='table') }}
with tickets as (
    select
        account_id,
        severity,
        greatest(cast(created_at as date), known_day) as opens,
        cast(created_at as date) as created_day,
        case
            when solved_at is null or reopened_at > solved_at then date '9999-12-31'
            else cast(solved_at as date)
        end as solved_day
    from {{ ref('int_support__tickets') }}
    where is_account_known
),

spans as (
    select account_id, opens, {{ add_days('created_day', 90) }} as closes, 1 as tickets, 0 as urgent
    from tickets
    union all
    select account_id, opens, solved_day, 0, 1
    from tickets
    where severity = 'urgent'
),

clipped as (
    select
        account_id,
        greatest(opens, {{ from_day() }}) as opens,
        closes,
        tickets,
        urgent
    from spans
    where closes > greatest(opens, {{ from_day() }}) and opens <= {{ to_day() }}
),

changes as (
    select account_id, opens as day, tickets, urgent from clipped
    union all
    select account_id, closes, -tickets, -urgent from clipped
),

final as (
    select
        account_id,
        day,
        cast(sum(tickets) as bigint) as tickets_change,
        cast(sum(urgent) as bigint) as open_urgent_change
    from changes
    where day <= {{ to_day() }}
    group by account_id, day
)

select * from final
