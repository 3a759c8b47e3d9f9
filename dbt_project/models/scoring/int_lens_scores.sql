-- grain: account, day of the run, scorecard version made of lenses, and lens; its score as a measure and a group of one
-- A lens without a score counts for nothing, whatever is known within it; one in grace is not asked for.
with parts as (
    select
        applied.account_id,
        applied.day,
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

scored as (
    select
        parts.*,
        scores.score,
        scores.score_low,
        scores.score_high,
        scores.coverage,
        scores.measures_present,
        scores.measures_expected,
        scores.measures_ageing,
        coalesce(scores.status, 'insufficient_data') as status
    from parts
    left join {{ ref('int_scores_of_measures') }} as scores
        on
            parts.account_id = scores.account_id
            and parts.day = scores.day
            and parts.scored_lens = scores.lens
            and scores.scorecard_status = 'active'
            and not scores.is_bridge
),

bounded as (
    select
        *,
        case status when 'scored' then coverage when 'insufficient_data' then 0 end as coverage_counted,
        case status when 'scored' then least(score_low, score) when 'insufficient_data' then 0 end as low,
        case status when 'scored' then greatest(score_high, score) when 'insufficient_data' then 100 end as high
    from scored
),

final as (
    select
        account_id,
        day,
        scorecard_hash,
        measure,
        measure_group,
        case when status = 'in_grace' then 0 else weight end as weight,
        position,
        score as value,
        score as normalised_value,
        cast(measures_present as bigint) as sample_size,
        day as observed_at,
        case status when 'in_grace' then 'in_grace' when 'insufficient_data' then 'no_data' end as missing_reason,
        false as is_ageing,
        {{ as_points('score') }} as measure_score,
        group_weight,
        roll_up,
        cast(case when score is null then 0 else weight end as double) as weight_present,
        coalesce(measures_present, 0) as measures_present,
        coalesce(measures_expected, 0) as measures_expected,
        coalesce(measures_ageing, 0) as measures_ageing,
        cast(null as integer) as chosen_position,
        {{ as_points('coverage_counted') }} as coverage,
        {{ as_points('score') }} as group_score,
        {{ as_points('low') }} as group_low,
        {{ as_points('high') }} as group_high
    from bounded
)

select * from final
