-- The weights in force of a score sum to 1, wherever anything is known.
select
    account_id,
    day,
    scorecard_hash,
    sum(weight_in_force) as weights
from {{ ref('int_contributions') }}
group by account_id, day, scorecard_hash
having abs(sum(weight_in_force) - 1) > 1e-9 and count(measure_score) > 0
