-- grain: day on which usage rows became known; what was wrong with them
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='fact_days',
    on_schema_change='fail',
) }}
select
    known_day,
    count(*) as rows_received,
    count(*) filter (where is_repeat) as repeats,
    count(*) filter (where not is_account_known) as without_account,
    count(*) filter (where is_before_subscription and not is_repeat) as before_subscription
from {{ ref('int_usage__events') }}
group by known_day
