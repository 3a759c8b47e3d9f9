-- grain: account and day of the run
{%- set baseline_weeks = range(4, 12) %}
{%- set weeks = [] %}
{%- for week in baseline_weeks %}{% do weeks.append('week_' ~ week) %}{% endfor %}
with account_days as (
    select * from {{ ref('int_accounts__days') }}
),

windows as (
    select
        account_id,
        day,
        active_users_28d,
        events_28d,
        key_features_28d,
        last_event_day,
        {{ days_from('first_event_day', 'day') }} as days_since_first_event,
        {% for week in baseline_weeks %}
        coalesce(lag(weekly_users_settled, {{ 7 * (week - 1) }}) over account_days, 0) as users_of_week_{{ week }},
        {% endfor %}
        weekly_users
        + weekly_users_settled
        + coalesce(lag(weekly_users_settled, 7) over account_days, 0) as users_of_3_weeks,
        coalesce(lag(events_28d, 28) over account_days, 0)
        + coalesce(lag(events_28d, 56) over account_days, 0) as events_of_baseline
    from {{ ref('int_usage__windows') }}
    where day between {{ add_days(from_day(), -84) }} and {{ to_day() }}
    window account_days as (partition by account_id order by day)
),

-- Weeks before the account's first use are no part of its baseline; silent weeks after it are, as zero.
weeks_in_use as (
    select
        account_id,
        day,
        active_users_28d,
        events_28d,
        key_features_28d,
        last_event_day,
        {% for week in baseline_weeks %}
        case when days_since_first_event >= {{ 7 * week + 6 }} then users_of_week_{{ week }} end as week_{{ week }},
        {% endfor %}
        users_of_3_weeks,
        events_of_baseline
    from windows
),

baselines as (
    select
        *,
        case when {{ count_of(weeks) }} >= 4 then {{ median_of(weeks) }} end as baseline_users
    from weeks_in_use
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
        account_days.seats,
        baselines.active_users_28d,
        baselines.events_28d,
        baselines.key_features_28d,
        baselines.last_event_day,
        baselines.users_of_3_weeks,
        baselines.events_of_baseline,
        baselines.baseline_users,
        feed.feed_day,
        coalesce(own_plan.features, any_plan.features) as plan_features,
        coalesce(own_plan.feature_count, any_plan.feature_count) as plan_feature_count
    from account_days
    left join baselines
        on account_days.account_id = baselines.account_id and account_days.day = baselines.day
    left join {{ ref('int_usage__feed') }} as feed
        on account_days.day = feed.day
    left join plan_features as own_plan
        on account_days.plan = own_plan.plan
    left join plan_features as any_plan
        on any_plan.plan = 'default'
),

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
            as days_since_last_activity
    from joined
)

select * from final
