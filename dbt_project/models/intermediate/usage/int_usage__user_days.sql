-- grain: account, user, event day and the day it became known
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='fact_days',
    on_schema_change='fail',
) }}
select distinct
    account_id,
    user_id,
    event_day,
    known_day
from {{ ref('int_usage__events') }}
where account_id is not null and not is_repeat and user_id is not null
