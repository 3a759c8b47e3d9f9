-- grain: account, day and lens; the active scorecard version that judged it; kept, for later days to compare with
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
select
    account_id,
    day,
    lens,
    scorecard_hash
from {{ ref('int_scorecards_matched') }}
where scorecard_status = 'active'
