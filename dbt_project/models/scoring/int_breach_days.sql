-- grain: alert rule, account and day; does the rule hold, and is it clear again
-- Between the two it is neither; where the value is NULL nobody can say.
{{ config(materialized='view') }}
with rules as (
    select * from {{ source('raw_config', 'alert_rules') }}
),

scores as (
    select scores.*
    from {{ ref('fct_health_scores') }} as scores
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where scores.scorecard_status = 'active'
    qualify
        row_number() over (
            partition by scores.account_id, scores.day, scores.lens
            order by scorecards.is_current desc, scores.scorecard_hash
        ) = 1
),

by_score as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        -- To be in no band is a thing to know for the rule that asks for it, and only for that one.
        case when rules.band = 'insufficient_data' then scores.coverage else scores.score end as value,
        case
            when rules.kind = 'score_below' then scores.score < rules.line
            when rules.kind = 'band_is' then scores.band = rules.band
        end as holds,
        case
            when rules.kind = 'score_below' then scores.score >= rules.line + rules.close_margin
            when scores.band <> 'insufficient_data' or rules.band = 'insufficient_data' then scores.band <> rules.band
        end as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    where rules.kind in ('score_below', 'band_is')
),

by_fall as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        scores.score - earlier.score as value,
        earlier.score - scores.score >= rules.points as holds,
        earlier.score - scores.score < rules.points - rules.close_margin as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    left join scores as earlier
        on
            scores.account_id = earlier.account_id
            and scores.lens = earlier.lens
            and {{ add_days('scores.day', '-rules.days') }} = earlier.day
    where rules.kind = 'score_fell'
),

by_measure as (
    select
        rules.rule,
        measures.account_id,
        measures.day,
        measures.value,
        case rules.kind
            when 'measure_above' then measures.value > rules.line
            else measures.value < rules.line
        end as holds,
        case rules.kind
            when 'measure_above' then measures.value <= rules.line - rules.close_margin
            else measures.value >= rules.line + rules.close_margin
        end as is_clear
    from rules
    inner join {{ ref('fct_measure_scores') }} as measures
        on rules.lens = measures.lens and rules.measure = measures.measure
    inner join scores
        on
            measures.account_id = scores.account_id
            and measures.day = scores.day
            and measures.scorecard_hash = scores.scorecard_hash
    where rules.kind in ('measure_above', 'measure_below')
)

select * from by_score
union all
select * from by_fall
union all
select * from by_measure
