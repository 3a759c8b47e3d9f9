-- grain: account, day, lens, span, effect and measure; what a score gained or lost against so many days before
-- The split is exact: the points of an account, day, lens and span sum to the difference of the scores.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='span_days',
    on_schema_change='append_new_columns',
) }}
{%- set of_pairs = [
    'account_id', 'day', 'lens', 'span_days', 'compared_day', 'score_before', 'score_after', 'scorecard_hash_before',
    'scorecard_hash',
] | join(', ') %}
with pairs as (
    select * from {{ ref('int_score_pairs') }}
),

known as (
    select *
    from pairs
    where score_before is not null and score_after is not null
),

-- Of all days kept, those compared: named in so few rows that the engine skips the rest without reading it.
compared_days as (
    select day from known
    union
    select compared_day as day from known
),

kept as (
    select
        account_id,
        day,
        scorecard_hash,
        measure,
        value,
        measure_score,
        weight_in_force
    from {{ ref('fct_measure_scores') }}
    where day in (select compared_days.day from compared_days)
),

-- The later day under the version of the earlier one: in force still, or scored beside the new one.
later as (
    select
        known.*,
        measures.measure,
        measures.value as value_after,
        measures.measure_score as s1,
        measures.weight_in_force as e1,
        known.raw_after as raw_bridged
    from known
    inner join kept as measures
        on
            known.account_id = measures.account_id
            and known.day = measures.day
            and known.scorecard_hash = measures.scorecard_hash
    where known.scorecard_hash = known.scorecard_hash_before
    union all
    select
        known.*,
        bridged.measure,
        bridged.value as value_after,
        bridged.measure_score as s1,
        bridged.weight_in_force as e1,
        bridged.raw_score as raw_bridged
    from known
    inner join {{ ref('int_bridged_scores') }} as bridged
        on
            known.account_id = bridged.account_id
            and known.day = bridged.day
            and known.scorecard_hash_before = bridged.scorecard_hash
    where known.scorecard_hash <> known.scorecard_hash_before and bridged.raw_score is not null
),

measures as (
    select
        later.*,
        before.value as value_before,
        before.measure_score as s0,
        before.weight_in_force as e0,
        (later.raw_before + later.raw_bridged) / 2 as middle
    from later
    inner join kept as before
        on
            later.account_id = before.account_id
            and later.compared_day = before.day
            and later.scorecard_hash_before = before.scorecard_hash
            and later.measure = before.measure
),

by_measure as (
    select
        measures.*,
        case
            when parts.part = 'weight' then 'weight'
            when measures.s0 is null then 'appeared'
            when measures.s1 is null then 'disappeared'
            else 'value'
        end as effect,
        case
            when parts.part = 'weight'
                then ((measures.s0 + measures.s1) / 2 - measures.middle) * (measures.e1 - measures.e0)
            when measures.s0 is null then measures.e1 * (measures.s1 - measures.middle)
            when measures.s1 is null then -measures.e0 * (measures.s0 - measures.middle)
            else (measures.e0 + measures.e1) / 2 * (measures.s1 - measures.s0)
        end as points
    from measures
    cross join (values ('value'), ('weight')) as parts (part)
    where measures.s0 is not null or measures.s1 is not null
),

bridged as (
    select
        account_id,
        day,
        scorecard_hash,
        max(raw_score) as raw_score
    from {{ ref('int_bridged_scores') }}
    group by account_id, day, scorecard_hash
),

-- Where the old version knows nothing of the later day, the two cannot be told apart: all of it is the version's.
by_account as (
    select
        known.*,
        parts.effect,
        case parts.effect
            when 'exception' then known.exception_points
            when 'override' then known.override_points
            else known.raw_after - coalesce(bridged.raw_score, known.raw_before)
        end as points
    from known
    left join bridged
        on
            known.account_id = bridged.account_id
            and known.day = bridged.day
            and known.scorecard_hash_before = bridged.scorecard_hash
    cross join (values ('exception'), ('override'), ('version')) as parts (effect)
    where parts.effect <> 'version' or known.scorecard_hash <> known.scorecard_hash_before
),

-- Without a score on one of the days there is no difference to split, but something has happened.
unscored as (
    select
        *,
        case when score_before is null then 'became_scored' else 'became_unscored' end as effect
    from pairs
    where (score_before is null) <> (score_after is null)
),

changes as (
    select {{ of_pairs }}, effect, points, measure, value_before, value_after
    from by_measure
    where abs(points) >= {{ dust() }}
    union all
    select {{ of_pairs }}, effect, points, null, null, null
    from by_account
    where abs(points) >= {{ dust() }}
    union all
    select {{ of_pairs }}, effect, null, null, null, null
    from unscored
),

final as (
    select
        account_id,
        day,
        lens,
        span_days,
        compared_day,
        effect,
        measure,
        points,
        value_before,
        value_after,
        score_before,
        score_after,
        scorecard_hash_before,
        scorecard_hash
    from changes
)

select * from final
