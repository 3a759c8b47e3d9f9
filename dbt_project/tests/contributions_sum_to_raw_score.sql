-- The measures' contributions sum to the raw score, and what they lose is what is missing to 100.
{{ config(meta={'dagster': {'ref': {'name': 'int_health_scores'}}}) }}
select
    scores.account_id,
    scores.day,
    scores.scorecard_hash,
    scores.raw_score,
    sum(contributions.contribution) as contributions
from {{ ref('int_health_scores') }} as scores
inner join {{ ref('int_contributions') }} as contributions
    on
        scores.account_id = contributions.account_id
        and scores.day = contributions.day
        and scores.scorecard_hash = contributions.scorecard_hash
group by scores.account_id, scores.day, scores.scorecard_hash, scores.raw_score
having
    abs(coalesce(sum(contributions.contribution), 0) - coalesce(scores.raw_score, 0)) > 1e-9
    or abs(sum(contributions.contribution + contributions.points_lost) - 100) > 1e-9
