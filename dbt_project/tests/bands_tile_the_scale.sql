-- The bands of a scorecard lie end to end from 0 to 100.
{{ config(meta={'dagster': {'ref': {'name': 'dim_scorecards'}}}) }}
with ordered as (
    select
        scorecard_hash,
        lower_score,
        upper_score,
        lag(upper_score, 1, 0) over (partition by scorecard_hash order by lower_score) as begins,
        row_number() over (partition by scorecard_hash order by lower_score desc) as from_top
    from {{ source('raw_config', 'scorecard_bands') }} as bands
    where bands.scorecard_hash in (select scorecards.scorecard_hash from {{ ref('dim_scorecards') }} as scorecards)
)

select *
from ordered
where lower_score <> begins or (from_top = 1 and upper_score <> 100)
