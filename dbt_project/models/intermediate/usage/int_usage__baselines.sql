-- grain: account and day of the run, from the account's first known use on; its weekly users now, and those of its past
{{ config(materialized='table') }}
{%- set baseline_weeks = range(4, 12) %}
{%- set weeks = [] %}
{%- for week in baseline_weeks %}{% do weeks.append('week_' ~ week) %}{% endfor %}
with windows as (
    select
        account_id,
        day,
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
        {% for week in baseline_weeks %}
        case when days_since_first_event >= {{ 7 * week + 6 }} then users_of_week_{{ week }} end as week_{{ week }},
        {% endfor %}
        users_of_3_weeks,
        events_of_baseline
    from windows
),

final as (
    select
        account_id,
        day,
        users_of_3_weeks,
        events_of_baseline,
        case when {{ count_of(weeks) }} >= 4 then {{ median_of(weeks) }} end as baseline_users
    from weeks_in_use
)

select * from final
where day >= {{ from_day() }}
