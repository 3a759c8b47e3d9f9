-- grain: account and day, from the account's first known use on; rolling counts as known at the end of that day
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='window_days',
    on_schema_change='fail',
) }}
with daily as (
    select * from {{ ref('int_usage__daily') }}
    where known_day <= {{ to_day() }} and event_day <= {{ to_day() }}
),

recent as (
    select * from daily
    where event_day >= {{ add_days(windows_from_day(), -28) }}
),

features as (
    select distinct position
    from {{ source('raw_config', 'key_features') }}
),

feature_days as (
    select
        recent.account_id,
        features.position,
        recent.event_day,
        recent.known_day
    from recent
    inner join features
        on (recent.key_features & {{ bit_at('features.position') }}) <> 0
),

opened as (
    select
        account_id,
        greatest(event_day, known_day) as first_day,
        event_day,
        events_with_user
    from daily
),

first_uses as (
    select
        account_id,
        min(first_day) as first_day,
        min(case when events_with_user > 0 then first_day end) as first_user_day
    from opened
    group by account_id
),

grid as (
    select
        first_uses.account_id,
        days.day
    from first_uses
    inner join ({{ days_table(windows_from_day(), to_day()) }}) as days
        on days.day >= first_uses.first_day
),

changes as (
    select account_id, day, 0 as events, 0 as seconds, features
    from ({{ presence_changes('feature_days', 'position', 'features', 28, amount=bit_at('position')) }})
    union all
    select account_id, greatest(event_day, known_day, {{ windows_from_day() }}), events, duration_seconds, 0
    from recent
    where {{ add_days('event_day', 28) }} > greatest(known_day, {{ windows_from_day() }})
    union all
    select account_id, {{ add_days('event_day', 28) }}, -events, -duration_seconds, 0
    from recent
    where {{ add_days('event_day', 28) }} > greatest(known_day, {{ windows_from_day() }})
),

uses as (
    select
        account_id,
        greatest(first_day, {{ windows_from_day() }}) as day,
        min(event_day) as first_event_day,
        max(event_day) as last_event_day
    from opened
    group by account_id, greatest(first_day, {{ windows_from_day() }})
),

changed as (
    select
        account_id,
        day,
        sum(events) as events,
        sum(seconds) as seconds,
        sum(features) as features
    from changes
    where day <= {{ to_day() }}
    group by account_id, day
),

summed as (
    select
        grid.account_id,
        grid.day,
        cast(sum(coalesce(users.users_28d, 0)) over account_days as bigint) as active_users_28d,
        cast(sum(coalesce(users.users_7d, 0)) over account_days as bigint) as weekly_users,
        cast(sum(coalesce(users.users_settled, 0)) over account_days as bigint) as weekly_users_settled,
        cast(sum(coalesce(users.user_days, 0)) over account_days as bigint) as user_days_28d,
        cast(sum(coalesce(changed.events, 0)) over account_days as bigint) as events_28d,
        cast(sum(coalesce(changed.seconds, 0)) over account_days as bigint) as duration_seconds_28d,
        cast(sum(coalesce(changed.features, 0)) over account_days as bigint) as key_features_28d,
        min(uses.first_event_day) over account_days as first_event_day,
        max(uses.last_event_day) over account_days as last_event_day
    from grid
    left join changed
        on grid.account_id = changed.account_id and grid.day = changed.day
    left join {{ ref('int_usage__user_changes') }} as users
        on grid.account_id = users.account_id and grid.day = users.day
    left join uses
        on grid.account_id = uses.account_id and grid.day = uses.day
    window account_days as (partition by grid.account_id order by grid.day rows unbounded preceding)
),

final as (
    select
        summed.account_id,
        summed.day,
        case when summed.day >= first_uses.first_user_day then summed.active_users_28d end as active_users_28d,
        case when summed.day >= first_uses.first_user_day then summed.weekly_users end as weekly_users,
        case when summed.day >= first_uses.first_user_day then summed.weekly_users_settled end as weekly_users_settled,
        case when summed.day >= first_uses.first_user_day then summed.user_days_28d end as user_days_28d,
        summed.events_28d,
        summed.duration_seconds_28d,
        summed.key_features_28d,
        summed.last_event_day,
        summed.first_event_day
    from summed
    inner join first_uses
        on summed.account_id = first_uses.account_id
)

select * from final
