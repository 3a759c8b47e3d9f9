-- grain: usage event that became known on one of the run's fact days; repeats and strangers are marked, not dropped
{{ config(materialized='table') }}
with events as (
    select * from {{ received('usage_events') }}
),

arrived as (
    select * from events
    where
        known_at >= {{ run_day('facts_from_day') }}
        and known_at < {{ add_days(run_day('facts_to_day'), 1) }}
        and {{ is_fact_day('known_day') }}
),

reached as (
    {{ reach_account('arrived') }}
),

-- Every copy of an event that arrived: only the first counts of those known within `repeats_days` of the one before;
-- of all, where no days are set.
copies as (
    select
        event_id,
        file_id,
        line,
        known_day,
        lag(known_day) over (partition by event_id order by known_at, file_id, line) as known_before
    from events
    where
        events.known_at >= {{ repeats_from_day() }}
        and events.event_id in (select arrived.event_id from arrived where arrived.event_id is not null)
),

marked as (
    select
        reached.account_id,
        reached.user_id,
        reached.event_name,
        cast(reached.occurred_at as date) as event_day,
        reached.known_day,
        reached.file_id,
        reached.line,
        coalesce(reached.quantity, 1) as quantity,
        coalesce(reached.duration_seconds, 0) as duration_seconds,
        copies.known_before is not null
        and (
            settings.repeats_days is null
            or {{ days_from('copies.known_before', 'copies.known_day') }} <= settings.repeats_days
        ) as is_repeat,
        known.account_id is not null as is_account_known,
        cast(reached.occurred_at as date) < subscriptions.started_on as is_before_subscription
    from reached
    cross join {{ source('raw_config', 'settings') }} as settings
    left join copies
        on reached.event_id = copies.event_id and reached.file_id = copies.file_id and reached.line = copies.line
    left join {{ ref('int_accounts__known') }} as known
        on reached.account_id = known.account_id
    left join {{ ref('int_billing__subscription_accounts') }} as subscriptions
        on reached.subscription_id = subscriptions.subscription_id
)

select * from marked
