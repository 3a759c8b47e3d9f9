-- grain: account, day of the run, scorecard version and measure; each that the scorecard asks for, scored or not
with expected as (
    select
        applied.account_id,
        applied.day,
        applied.lens,
        applied.scorecard_id,
        applied.scorecard_hash,
        measures.measure,
        measures.measure_group,
        groups.roll_up as group_roll_up,
        measures.weight,
        measures.max_age_days,
        measures.position
    from {{ ref('int_scorecards_applied') }} as applied
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on applied.scorecard_hash = measures.scorecard_hash
    inner join {{ source('raw_config', 'scorecard_groups') }} as groups
        on measures.scorecard_hash = groups.scorecard_hash and measures.measure_group = groups.measure_group
),

observed as (
    select
        expected.*,
        measures.value,
        measures.sample_size,
        measures.observed_at,
        case
            when measures.value is null then 'no_data'
            when
                expected.max_age_days is not null
                and {{ days_from('measures.observed_at', 'expected.day') }} > expected.max_age_days
                then 'stale'
        end as missing_reason
    from expected
    left join {{ ref('int_measures') }} as measures
        on
            expected.account_id = measures.account_id
            and expected.day = measures.day
            and expected.measure = measures.measure
),

scored as (
    select
        observed.*,
        case
            when segments.half_life is not null
                then {{ as_points('100 * exp(-ln(2) * greatest(observed.value, 0) / segments.half_life)') }}
            else
                {{ as_points(
                    'segments.y0 + (segments.y1 - segments.y0) * ((observed.value - segments.x0) / (segments.x1 - segments.x0))'
                ) }}
        end as measure_score
    from observed
    left join {{ source('raw_config', 'score_segments') }} as segments
        on
            observed.missing_reason is null
            and observed.scorecard_hash = segments.scorecard_hash
            and observed.measure = segments.measure
            and (segments.lower_value is null or observed.value >= segments.lower_value)
            and (segments.upper_value is null or observed.value < segments.upper_value)
)

select * from scored
