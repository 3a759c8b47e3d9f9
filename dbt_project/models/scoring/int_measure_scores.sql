-- grain: account, day of the run, scorecard version and measure; each that the scorecard asks for, scored or not
with expected as (
    select
        applied.account_id,
        applied.day,
        applied.scorecard_hash,
        applied.peers_of,
        applied.is_bridge,
        applied.account_age_days,
        scorecards.peer_group,
        measures.measure,
        measures.weight,
        measures.max_age_days,
        measures.warn_age_days,
        measures.asked_from_age,
        measures.normalise,
        measures.target,
        measures.shrink_to_peers
    from {{ ref('int_scorecards_applied') }} as applied
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on applied.scorecard_hash = scorecards.scorecard_hash
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on applied.scorecard_hash = measures.scorecard_hash and measures.scored_lens is null
),

-- What the curve sees: the value, or what the scorecard normalises it to.
observed as (
    select
        expected.*,
        measures.value,
        measures.sample_size,
        measures.observed_at,
        outages.day is not null as is_feed_out,
        case expected.normalise
            when 'peer_percentile' then peer_values.percentile
            when 'peer_z_score' then peer_values.z_score
            when 'own_baseline' then measures.value / own_baselines.baseline
            when 'target' then measures.value / expected.target
            else measures.value
        end as normalised_value
    from expected
    left join {{ ref('int_measures') }} as measures
        on
            expected.account_id = measures.account_id
            and expected.day = measures.day
            and expected.measure = measures.measure
    left join {{ ref('int_peer_values') }} as peer_values
        on
            expected.account_id = peer_values.account_id
            and expected.day = peer_values.day
            and expected.measure = peer_values.measure
            and expected.peer_group = peer_values.peer_group
    left join {{ ref('int_own_baselines') }} as own_baselines
        on
            expected.account_id = own_baselines.account_id
            and expected.day = own_baselines.day
            and expected.measure = own_baselines.measure
    left join {{ ref('int_usage__outages') }} as outages
        on case when {{ rests_on('expected.measure', 'usage_events') }} then expected.day end = outages.day
),

explained as (
    select
        *,
        case
            when account_age_days < asked_from_age then 'in_grace'
            when value is null and is_feed_out then 'feed_outage'
            when value is null then 'no_data'
            when max_age_days is not null and {{ days_from('observed_at', 'day') }} > max_age_days then 'stale'
            when normalised_value is null and normalise = 'own_baseline' then 'no_baseline'
            when normalised_value is null then 'few_peers'
        end as missing_reason
    from observed
),

-- Each condition of the joins compares two columns: else the engine tries every row with every piece of every curve.
judged as (
    select
        *,
        case when missing_reason is null then measure end as measure_judged,
        case when shrink_to_peers is not null then measure end as measure_shrunk
    from explained
),

scored as (
    select
        judged.*,
        case
            when segments.half_life is not null
                then {{ as_points('100 * exp(-ln(2) * greatest(judged.normalised_value, 0) / segments.half_life)') }}
            else
                {{ as_points(
                    'segments.y0 + (segments.y1 - segments.y0)'
                    ~ ' * ((judged.normalised_value - segments.x0) / (segments.x1 - segments.x0))'
                ) }}
        end as own_score
    from judged
    left join {{ source('raw_config', 'score_segments') }} as segments
        on
            judged.scorecard_hash = segments.scorecard_hash
            and judged.measure_judged = segments.measure
            and judged.normalised_value >= coalesce(segments.lower_value, cast('-infinity' as double))
            and judged.normalised_value < coalesce(segments.upper_value, cast('infinity' as double))
            and judged.account_age_days >= coalesce(segments.age_from, 0)
            and judged.account_age_days < coalesce(segments.age_to, 1000000)
),

-- A score that rests on few facts is drawn to the mean of the peers': (n * s + k * m) / (n + k).
peer_means as (
    select
        day,
        scorecard_hash,
        measure_shrunk,
        peers_of,
        cast(sum(own_score) as double) / count(own_score) as mean_score
    from scored
    where measure_shrunk is not null and own_score is not null and not is_bridge
    group by day, scorecard_hash, measure_shrunk, peers_of
),

final as (
    select
        scored.account_id,
        scored.day,
        scored.scorecard_hash,
        scored.measure,
        -- What an account is not asked for yet weighs nothing: it is not missing.
        case when scored.missing_reason = 'in_grace' then 0 else scored.weight end as weight,
        scored.value,
        scored.normalised_value,
        scored.sample_size,
        scored.observed_at,
        scored.missing_reason,
        coalesce(
            scored.missing_reason is null
            and {{ days_from('scored.observed_at', 'scored.day') }} > scored.warn_age_days,
            false
        ) as is_ageing,
        case
            when peer_means.mean_score is null then scored.own_score
            else
                {{ as_points(
                    '(scored.sample_size * cast(scored.own_score as double)'
                    ~ ' + scored.shrink_to_peers * peer_means.mean_score) / (scored.sample_size + scored.shrink_to_peers)'
                ) }}
        end as measure_score
    from scored
    left join peer_means
        on
            scored.day = peer_means.day
            and scored.scorecard_hash = peer_means.scorecard_hash
            and scored.measure_shrunk = peer_means.measure_shrunk
            and scored.peers_of = peer_means.peers_of
)

select * from final
