{# From raw scores and adjustments the score in force, its band and rank: one row an account, day and scorecard version.
   First the scorecard's exceptions act on the raw score, then people's overrides on what those left. Of a cap and a floor
   that cross, the cap holds. #}
{% macro health_scores(raw_scores, adjustments) %}
with excepted as (
    select
        raw_scores.*,
        adjustments.adjustment,
        adjustments.override_cap,
        adjustments.override_floor,
        adjustments.override_value,
        case
            when raw_scores.raw_score is null or raw_scores.coverage < raw_scores.coverage_floor - 1e-9 then null
            when raw_scores.account_age_days < raw_scores.grace_days then null
            else {{ held('raw_scores.raw_score', 'adjustments.exception_cap', 'adjustments.exception_floor') }}
        end as excepted_score
    from {{ raw_scores }} as raw_scores
    left join {{ adjustments }} as adjustments
        on
            raw_scores.account_id = adjustments.account_id
            and raw_scores.day = adjustments.day
            and raw_scores.scorecard_hash = adjustments.scorecard_hash
),

adjusted as (
    select
        *,
        case
            when excepted_score is null then null
            when override_value is not null then override_value
            else {{ held('excepted_score', 'override_cap', 'override_floor') }}
        end as score
    from excepted
),

banded as (
    select
        adjusted.*,
        coalesce(bands.band, 'insufficient_data') as band,
        count(adjusted.score) over (
            partition by
                adjusted.day, adjusted.scorecard_hash, adjusted.peers_of, adjusted.is_bridge, adjusted.score is null
        ) as peers,
        rank() over (
            partition by
                adjusted.day, adjusted.scorecard_hash, adjusted.peers_of, adjusted.is_bridge, adjusted.score is null
            order by adjusted.score
        ) - 1 as peers_below
    from adjusted
    left join {{ source('raw_config', 'scorecard_bands') }} as bands
        on
            adjusted.scorecard_hash = bands.scorecard_hash
            and {{ as_shown('adjusted.score') }} >= bands.lower_score
            and ({{ as_shown('adjusted.score') }} < bands.upper_score or bands.upper_score = 100)
),

final as (
    select
        account_id,
        day,
        lens,
        scorecard_id,
        scorecard_version,
        scorecard_hash,
        scorecard_status,
        segment,
        arr,
        roll_up,
        weight_present,
        chosen_position,
        raw_score,
        score,
        band,
        case
            when score is not null then 'scored'
            when account_age_days < grace_days then 'in_grace'
            else 'insufficient_data'
        end as status,
        coverage,
        score_low,
        score_high,
        -- A percentile among fewer than 30 says little: it ranks, it does not judge.
        case when score is not null and peers >= 30 then 100 * peers_below / (peers - 1) end as peer_percentile,
        case when score is not null then adjustment end as adjustment,
        excepted_score - raw_score as exception_effect,
        score - excepted_score as override_effect,
        is_bridge,
        measures_present,
        measures_expected,
        measures_ageing
    from banded
)

select * from final
{% endmacro %}
