-- The bounds hold the raw score between them, and everything stays within 0 and 100.
select *
from {{ ref('int_health_scores') }}
where
    raw_score < score_low - 1e-9 or raw_score > score_high + 1e-9
    or score_low < 0 or score_high > 100 or score < 0 or score > 100
    or coverage < 0 or coverage > 1 + 1e-9
