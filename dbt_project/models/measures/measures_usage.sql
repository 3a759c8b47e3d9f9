-- grain: account and day of the run
with account_days as (
    select * from {{ ref('int_accounts__days') }}
),

users_known as (
    {{ as_of_day(ref('int_accounts__users_known'), ['users_change']) }}
),

plan_features as (
    select
        plan,
        bit_or({{ bit_at('position') }}) as features,
        count(*) as feature_count
    from {{ source('raw_config', 'key_features') }}
    group by plan
),

joined as (
    select
        account_days.account_id,
        account_days.day,
        case when account_days.has_unlimited_seats then users_known.users_change else account_days.seats end as seats,
        windows.active_users_28d,
        windows.user_days_28d,
        windows.events_28d,
        cast(windows.duration_seconds_28d as double) as seconds_28d,
        windows.key_features_28d,
        windows.last_event_day,
        baselines.users_of_3_weeks,
        baselines.events_of_baseline,
        baselines.baseline_users,
        feed.feed_day,
        time_feed.feed_day as time_feed_day,
        coalesce(own_plan.features, any_plan.features) as plan_features,
        coalesce(own_plan.feature_count, any_plan.feature_count) as plan_feature_count
    from account_days
    left join users_known
        on account_days.account_id = users_known.account_id and account_days.day = users_known.day
    left join {{ ref('int_usage__windows') }} as windows
        on account_days.account_id = windows.account_id and account_days.day = windows.day
    left join {{ ref('int_usage__baselines') }} as baselines
        on account_days.account_id = baselines.account_id and account_days.day = baselines.day
    left join {{ ref('int_usage__feed') }} as feed
        on account_days.day = feed.day
    left join {{ ref('int_usage__time_feed') }} as time_feed
        on account_days.day = time_feed.day
    left join plan_features as own_plan
        on account_days.plan = own_plan.plan
    left join plan_features as any_plan
        on any_plan.plan = 'default'
),

-- Who went silent uses it never, which is known: per active user 0, though nobody is left to divide by.
final as (
    select
        account_id,
        day,
        {{ measure(
            'case when active_users_28d > seats and seats > 0 then 1 else active_users_28d / nullif(seats, 0) end',
            'active_users_28d',
            'feed_day'
        ) }} as active_users_to_seats,
        {{ measure(
            'case when events_of_baseline >= 20 then users_of_3_weeks / 3 / nullif(baseline_users, 0) end',
            'events_of_baseline',
            'feed_day'
        ) }} as usage_vs_baseline,
        {{ measure(
            bits_set('key_features_28d & plan_features') ~ ' / nullif(plan_feature_count, 0)', 'events_28d', 'feed_day'
        ) }} as feature_breadth,
        {{ measure(days_from('last_event_day', 'day'), 'case when last_event_day is not null then 1 end', 'feed_day') }}
            as days_since_last_activity,
        {{ measure(
            'case when active_users_28d = 0 then 0 else user_days_28d / (28.0e0 * active_users_28d) end',
            'user_days_28d',
            'feed_day'
        ) }} as stickiness,
        {{ measure(
            'case when active_users_28d = 0 then 0 else cast(events_28d as double) / active_users_28d end',
            'events_28d',
            'feed_day'
        ) }} as events_per_active_user_28d,
        {{ measure(
            'case when ' ~ days_from('time_feed_day', 'day') ~ ' < 28 then case
                when active_users_28d = 0 then 0 when seconds_28d > 0 then seconds_28d / (60.0e0 * active_users_28d)
            end end',
            'events_28d',
            'time_feed_day'
        ) }} as minutes_per_active_user_28d
    from joined
)

select * from final
