-- Every account of every day has, for its scorecard, a row for each measure that the scorecard asks for.
{{ config(meta={'dagster': {'ref': {'name': 'fct_measure_scores'}}}) }}
with expected as (
    select
        applied.account_id,
        applied.day,
        applied.scorecard_hash,
        count(*) as measures
    from {{ ref('int_scorecards_applied') }} as applied
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on applied.scorecard_hash = measures.scorecard_hash
    where not applied.is_bridge
    group by applied.account_id, applied.day, applied.scorecard_hash
),

found as (
    select
        account_id,
        day,
        scorecard_hash,
        count(*) as measures
    from {{ ref('fct_measure_scores') }}
    where day between {{ from_day() }} and {{ to_day() }}
    group by account_id, day, scorecard_hash
)

select
    expected.*,
    found.measures as measures_found
from expected
left join found
    on
        expected.account_id = found.account_id
        and expected.day = found.day
        and expected.scorecard_hash = found.scorecard_hash
where found.measures is null or found.measures <> expected.measures
