-- The measures' contributions sum to the raw score, what they lose is what lacks to 100, and their weights sum to 1.
{{ config(meta={'dagster': {'ref': {'name': 'fct_measure_scores'}}}) }}
with added as (
    select
        account_id,
        day,
        scorecard_hash,
        sum(contribution) as contributions,
        sum(contribution + points_lost) as points,
        sum(weight_in_force) as weights,
        count(measure_score) as measures_scored
    from {{ ref('fct_measure_scores') }}
    where day between {{ from_day() }} and {{ to_day() }}
    group by account_id, day, scorecard_hash
)

select
    added.*,
    scores.raw_score
from {{ ref('int_health_scores') }} as scores
inner join added
    on
        scores.account_id = added.account_id
        and scores.day = added.day
        and scores.scorecard_hash = added.scorecard_hash
where
    not scores.is_bridge
    and (
        abs(coalesce(added.contributions, 0) - coalesce(scores.raw_score, 0)) > 1e-9
        or abs(added.points - 100) > 1e-9
        or (added.measures_scored > 0 and abs(added.weights - 1) > 1e-9)
    )
