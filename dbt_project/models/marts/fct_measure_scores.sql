-- grain: account, day, scorecard version and measure
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='run_days',
    on_schema_change='append_new_columns',
) }}
select
    account_id,
    day,
    lens,
    scorecard_id,
    scorecard_hash,
    measure,
    measure_group,
    value,
    normalised_value,
    sample_size,
    observed_at,
    measure_score,
    weight_in_force,
    contribution,
    points_lost,
    missing_reason,
    is_ageing
from {{ ref('int_contributions') }}
where not is_bridge
