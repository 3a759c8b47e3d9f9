-- grain: account, event day and the day it became known
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='fact_days',
    on_schema_change='fail',
) }}
with counted as (
    select
        account_id,
        event_day,
        known_day,
        cast(sum(quantity) as bigint) as events,
        cast(sum(duration_seconds) as bigint) as duration_seconds,
        cast(count(user_id) as bigint) as events_with_user
    from {{ ref('int_usage__events') }}
    where account_id is not null and not is_repeat
    group by account_id, event_day, known_day
),

features as (
    select distinct feature, position
    from {{ source('raw_config', 'key_features') }}
),

used as (
    select
        events.account_id,
        events.event_day,
        events.known_day,
        bit_or({{ bit_at('features.position') }}) as key_features
    from {{ ref('int_usage__events') }} as events
    inner join features
        on events.event_name = features.feature
    where events.account_id is not null and not events.is_repeat
    group by events.account_id, events.event_day, events.known_day
),

final as (
    select
        counted.*,
        coalesce(used.key_features, 0) as key_features
    from counted
    left join used
        on
            counted.account_id = used.account_id
            and counted.event_day = used.event_day
            and counted.known_day = used.known_day
)

select * from final
