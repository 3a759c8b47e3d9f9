-- grain: account, day, lens and span; the scores of two days to compare, for days whose comparison this run may change
{{ config(materialized='table') }}
{%- set first_day, last_day = from_day(), add_days(to_day(), change_spans() | max) %}
with in_force as (
    select * from {{ ref('int_scorecards_in_force') }}
    where day between {{ add_days(first_day, -(change_spans() | max)) }} and {{ last_day }}
),

scores as (
    select
        scores.account_id,
        scores.day,
        scores.lens,
        scores.scorecard_hash,
        scores.raw_score,
        scores.score,
        scores.exception_effect,
        scores.override_effect
    from {{ ref('fct_health_scores') }} as scores
    inner join in_force
        on
            scores.account_id = in_force.account_id
            and scores.day = in_force.day
            and scores.lens = in_force.lens
            and scores.scorecard_hash = in_force.scorecard_hash
),

pairs as (
    {% for days in change_spans() %}
    select
        after.account_id,
        after.day,
        after.lens,
        {{ days }} as span_days,
        before.day as compared_day,
        before.scorecard_hash as scorecard_hash_before,
        after.scorecard_hash,
        before.score as score_before,
        after.score as score_after,
        before.raw_score as raw_before,
        after.raw_score as raw_after,
        after.exception_effect - before.exception_effect as exception_points,
        after.override_effect - before.override_effect as override_points
    from scores as after
    inner join scores as before
        on
            after.account_id = before.account_id
            and after.lens = before.lens
            and {{ add_days('after.day', -days) }} = before.day
    where after.day between {{ first_day }} and {{ last_day }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from pairs
