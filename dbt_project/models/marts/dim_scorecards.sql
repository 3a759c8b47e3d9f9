-- grain: scorecard version
select
    scorecard_hash,
    scorecard_id,
    version,
    title,
    lens,
    status,
    is_default,
    is_current,
    coverage_floor,
    roll_up,
    effective_from
from {{ source('raw_config', 'scorecards') }}
