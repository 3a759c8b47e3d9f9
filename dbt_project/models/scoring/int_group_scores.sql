-- grain: account, day of the run, scorecard version and group
with added as (
    select
        account_id,
        day,
        scorecard_hash,
        measure_group,
        sum(weight) as weight_expected,
        sum(case when measure_score is not null then weight end) as weight_present,
        sum(weight * measure_score) as weighted_score,
        min(measure_score) as lowest,
        max(measure_score) as highest,
        min(case when measure_score is not null then {{ ranked('measure_score', 'position') }} end) as lowest_at,
        min(case when measure_score is not null then {{ ranked('-measure_score', 'position') }} end) as highest_at,
        count(measure_score) as measures_present,
        count(*) as measures_expected
    from {{ ref('int_measure_scores') }}
    group by account_id, day, scorecard_hash, measure_group
),

rolled_up as (
    select
        added.account_id,
        added.day,
        added.scorecard_hash,
        added.measure_group,
        groups.weight as group_weight,
        groups.roll_up,
        groups.position,
        added.weight_present,
        added.measures_present,
        added.measures_expected,
        case groups.roll_up
            when 'lowest' then added.lowest_at.place
            when 'highest' then added.highest_at.place
        end as chosen_position,
        {{ as_points('cast(coalesce(added.weight_present, 0) as double) / cast(added.weight_expected as double)') }}
            as coverage,
        case groups.roll_up
            when 'lowest' then added.lowest
            when 'highest' then added.highest
            else {{ as_points('cast(added.weighted_score as double) / cast(added.weight_present as double)') }}
        end as group_score,
        case groups.roll_up
            when 'lowest' then case when added.measures_present = added.measures_expected then added.lowest else 0 end
            when 'highest' then coalesce(added.highest, 0)
            else
                {{ as_points('cast(coalesce(added.weighted_score, 0) as double) / cast(added.weight_expected as double)') }}
        end as group_low,
        case groups.roll_up
            when 'lowest' then coalesce(added.lowest, 100)
            when 'highest' then case when added.measures_present = added.measures_expected then added.highest else 100 end
            else
                {{ as_points(
                    '(cast(coalesce(added.weighted_score, 0) as double)
                    + 100 * cast(added.weight_expected - coalesce(added.weight_present, 0) as double))
                    / cast(added.weight_expected as double)'
                ) }}
        end as group_high
    from added
    inner join {{ source('raw_config', 'scorecard_groups') }} as groups
        on added.scorecard_hash = groups.scorecard_hash and added.measure_group = groups.measure_group
)

select * from rolled_up
