-- grain: account and day on which a rolling count of its users changes, from the first day whose windows are made
{{ config(materialized='table') }}
with user_days as (
    select * from {{ ref('int_usage__user_days') }}
    where
        known_day <= {{ to_day() }} and event_day <= {{ to_day() }}
        and event_day >= {{ add_days(windows_from_day(), -28) }}
),

-- A user is active once a day, from when it was first known.
active_days as (
    select
        account_id,
        user_id,
        event_day,
        greatest(event_day, min(known_day), {{ windows_from_day() }}) as opens,
        {{ add_days('event_day', 28) }} as closes
    from user_days
    group by account_id, user_id, event_day
),

changes as (
    select account_id, day, users_28d, 0 as users_7d, 0 as users_settled, 0 as user_days
    from ({{ presence_changes('user_days', 'user_id', 'users_28d', 28) }})
    union all
    select account_id, day, 0, users_7d, 0, 0
    from ({{ presence_changes('user_days', 'user_id', 'users_7d', 7) }})
    union all
    select account_id, day, 0, 0, users_settled, 0
    from ({{ presence_changes('user_days', 'user_id', 'users_settled', 7, delay=7) }})
    union all
    select account_id, opens, 0, 0, 0, 1
    from active_days
    where closes > opens
    union all
    select account_id, closes, 0, 0, 0, -1
    from active_days
    where closes > opens
),

final as (
    select
        account_id,
        day,
        cast(sum(users_28d) as bigint) as users_28d,
        cast(sum(users_7d) as bigint) as users_7d,
        cast(sum(users_settled) as bigint) as users_settled,
        cast(sum(user_days) as bigint) as user_days
    from changes
    where day <= {{ to_day() }}
    group by account_id, day
)

select * from final
