-- grain: account, day of the run, scorecard version made of lenses, and lens; its score, as a measure and as a group of one
with parts as (
    select
        applied.account_id,
        applied.day,
        applied.lens,
        applied.scorecard_id,
        applied.scorecard_hash,
        measures.scored_lens,
        measures.measure,
        measures.measure_group,
        measures.weight,
        measures.position,
        groups.weight as group_weight,
        groups.roll_up
    from {{ ref('int_scorecards_applied') }} as applied
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on applied.scorecard_hash = measures.scorecard_hash and measures.scored_lens is not null
    inner join {{ source('raw_config', 'scorecard_groups') }} as groups
        on measures.scorecard_hash = groups.scorecard_hash and measures.measure_group = groups.measure_group
),

final as (
    select
        parts.account_id,
        parts.day,
        parts.lens,
        parts.scorecard_id,
        parts.scorecard_hash,
        parts.measure,
        parts.measure_group,
        parts.roll_up as group_roll_up,
        case when scores.status = 'in_grace' then 0 else parts.weight end as weight,
        parts.position,
        scores.score as value,
        scores.score as normalised_value,
        cast(scores.measures_present as bigint) as sample_size,
        parts.day as observed_at,
        case when scores.score is null then coalesce(nullif(scores.status, 'insufficient_data'), 'no_data') end
            as missing_reason,
        false as is_ageing,
        {{ as_points('scores.score') }} as measure_score,
        parts.group_weight,
        parts.roll_up,
        cast(case when scores.score is null then 0 else parts.weight end as double) as weight_present,
        coalesce(scores.measures_present, 0) as measures_present,
        coalesce(scores.measures_expected, 0) as measures_expected,
        coalesce(scores.measures_ageing, 0) as measures_ageing,
        cast(null as integer) as chosen_position,
        -- A lens without a score counts for nothing, whatever is known within it; one in grace is not asked for.
        {{ as_points("case when scores.score is not null then scores.coverage when scores.status is distinct from 'in_grace' then 0 end") }}
            as coverage,
        {{ as_points('scores.score') }} as group_score,
        {{ as_points("case when scores.score is not null then least(scores.score_low, scores.score) when scores.status is distinct from 'in_grace' then 0 end") }}
            as group_low,
        {{ as_points("case when scores.score is not null then greatest(scores.score_high, scores.score) when scores.status is distinct from 'in_grace' then 100 end") }}
            as group_high
    from parts
    left join {{ ref('int_scores_of_measures') }} as scores
        on
            parts.account_id = scores.account_id
            and parts.day = scores.day
            and parts.scored_lens = scores.lens
            and scores.scorecard_status = 'active'
            and not scores.is_bridge
)

select * from final
