-- grain: account scored on the newest day, lens overall
-- The newest day is that of the run or a later one: told to the engine, which then leaves the history unread.
{%- set since = to_day() %}
with newest as (
    select max(day) as day
    from {{ ref('fct_health_scores') }}
),

scores as (
    select scores.*
    from {{ ref('fct_health_scores') }} as scores
    inner join newest
        on scores.day = newest.day
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where
        scores.day >= {{ since }}
        and scores.lens = 'overall' and scores.scorecard_status = 'active' and scorecards.is_current
),

top_bands as (
    select
        scorecard_hash,
        max(lower_score) as healthy_from
    from {{ source('raw_config', 'scorecard_bands') }}
    group by scorecard_hash
),

-- A score made of lenses is explained by their measures, each with its share in the whole.
explaining as (
    select
        account_id,
        day,
        scorecard_hash,
        cast(1 as double) as share
    from scores
    union all
    select
        scores.account_id,
        scores.day,
        parts.scorecard_hash,
        lenses.weight_in_force as share
    from scores
    inner join {{ ref('fct_measure_scores') }} as lenses
        on
            scores.account_id = lenses.account_id
            and scores.day = lenses.day
            and scores.scorecard_hash = lenses.scorecard_hash
            and lenses.measure like 'lens:%'
            and lenses.day >= {{ since }}
    inner join {{ ref('fct_health_scores') }} as parts
        on
            scores.account_id = parts.account_id
            and scores.day = parts.day
            and lenses.measure = 'lens:' || parts.lens
            and parts.scorecard_status = 'active'
            and parts.day >= {{ since }}
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on parts.scorecard_hash = scorecards.scorecard_hash and scorecards.is_current
),

weighed as (
    select
        measures.account_id,
        measures.scorecard_hash,
        measures.measure,
        measures.value,
        measures.measure_score,
        explaining.share * measures.points_lost as points_lost,
        explaining.share * measures.contribution as contribution
    from {{ ref('fct_measure_scores') }} as measures
    inner join explaining
        on
            measures.account_id = explaining.account_id
            and measures.day = explaining.day
            and measures.scorecard_hash = explaining.scorecard_hash
    where
        measures.day >= {{ since }}
        and measures.measure_score is not null and measures.measure not like 'lens:%'
),

-- What costs points, and what brings them: a measure is the one or the other.
judged as (
    select
        weighed.account_id,
        weighed.measure,
        weighed.value,
        weighed.measure_score >= top_bands.healthy_from as is_healthy,
        case when weighed.measure_score >= top_bands.healthy_from then weighed.contribution else weighed.points_lost end
            as points
    from weighed
    inner join top_bands
        on weighed.scorecard_hash = top_bands.scorecard_hash
),

ranked as (
    select
        *,
        row_number() over (partition by account_id, is_healthy order by points desc, measure) as place
    from judged
    where points >= 0.05
),

told as (
    select
        *,
        {{ in_words('measure', 'value') }} as sentence
    from ranked
    where place <= 3
),

drivers as (
    select
        account_id,
        {{ text_list("sentence || ' (' || cast(cast(-points as decimal(18, 1)) as string) || ')'", order_by='place') }}
        filter (where not is_healthy) as drivers_down,
        {{ text_list("sentence || ' (+' || cast(cast(points as decimal(18, 1)) as string) || ')'", order_by='place') }}
        filter (where is_healthy) as drivers_up
    from told
    group by account_id
),

-- The effects of a whole kind that has no measure of its own in words count as one.
effects as (
    select
        changes.account_id,
        case when changes.effect = 'weight' then null else changes.measure end as measure,
        changes.effect,
        max(changes.value_before) as value_before,
        max(changes.value_after) as value_after,
        cast(sum(cast(changes.points as decimal(18, 12))) as double) as points
    from {{ ref('fct_score_changes') }} as changes
    inner join scores
        on changes.account_id = scores.account_id and changes.day = scores.day and changes.lens = scores.lens
    where changes.day >= {{ since }} and changes.span_days = 30 and changes.points is not null
    group by
        changes.account_id,
        case when changes.effect = 'weight' then null else changes.measure end,
        changes.effect
),

ranked_effects as (
    select
        *,
        row_number() over (partition by account_id order by abs(points) desc, effect, measure) as place
    from effects
    where abs(points) >= 0.05
),

told_effects as (
    select
        *,
        {{ effect_in_words('effect', 'measure', 'value_before', 'value_after') }} as sentence
    from ranked_effects
    where place <= 3
),

movers as (
    select
        account_id,
        {{ text_list(
            "sentence || ' (' || case when points > 0 then '+' else '' end"
            ~ " || cast(cast(points as decimal(18, 1)) as string) || ')'",
            order_by='place'
        ) }} as drivers_of_change
    from told_effects
    group by account_id
),

breaches as (
    select
        account_id,
        cast(count(*) as integer) as open_breaches
    from {{ ref('fct_breaches') }}
    where is_open
    group by account_id
),

final as (
    select
        scores.account_id,
        accounts.account_name,
        scores.day,
        scores.score,
        scores.raw_score,
        scores.band,
        scores.status,
        scores.coverage,
        scores.score_low,
        scores.score_high,
        scores.trend_7d,
        scores.trend_30d,
        scores.trend_90d,
        accounts.segment,
        accounts.plan,
        accounts.lifecycle_stage,
        accounts.owner,
        scores.arr,
        accounts.renewal_on,
        cast({{ days_from('scores.day', 'accounts.renewal_on') }} as integer) as days_to_renewal,
        drivers.drivers_down,
        drivers.drivers_up,
        movers.drivers_of_change,
        scores.adjustment,
        coalesce(breaches.open_breaches, 0) as open_breaches,
        scores.scorecard_id,
        scores.scorecard_version,
        scores.scorecard_hash
    from scores
    inner join {{ ref('dim_accounts') }} as accounts
        on scores.account_id = accounts.account_id
    left join drivers
        on scores.account_id = drivers.account_id
    left join movers
        on scores.account_id = movers.account_id
    left join breaches
        on scores.account_id = breaches.account_id
)

select * from final
