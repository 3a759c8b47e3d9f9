-- grain: account, day, scorecard version not in force and measure; kept, to split the changes of later days
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
select
    contributions.account_id,
    contributions.day,
    contributions.lens,
    contributions.scorecard_hash,
    contributions.measure,
    contributions.value,
    contributions.measure_score,
    contributions.weight_in_force,
    raw_scores.raw_score
from {{ ref('int_contributions') }} as contributions
inner join {{ ref('int_health_scores') }} as raw_scores
    on
        contributions.account_id = raw_scores.account_id
        and contributions.day = raw_scores.day
        and contributions.scorecard_hash = raw_scores.scorecard_hash
where raw_scores.is_bridge or raw_scores.scorecard_status = 'candidate'
