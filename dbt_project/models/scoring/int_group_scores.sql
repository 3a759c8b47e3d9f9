-- grain: account, day of the run, scorecard version and group
with grouped as (
    select
        scores.*,
        measures.measure_group,
        measures.position,
        groups.roll_up
    from {{ ref('int_measure_scores') }} as scores
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on scores.scorecard_hash = measures.scorecard_hash and scores.measure = measures.measure
    inner join {{ source('raw_config', 'scorecard_groups') }} as groups
        on measures.scorecard_hash = groups.scorecard_hash and measures.measure_group = groups.measure_group
),

added as (
    select
        account_id,
        day,
        scorecard_hash,
        measure_group,
        cast(sum(weight) as double) as weight_expected,
        cast(sum(case when measure_score is not null then weight else 0 end) as double) as weight_present,
        cast(coalesce(sum(weight * measure_score), 0) as double) as weighted_score,
        min(measure_score) as lowest,
        max(measure_score) as highest,
        min(
            case
                when measure_score is null or roll_up = 'mean' then null
                when roll_up = 'lowest' then {{ ranked('measure_score', 'position') }}
                else {{ ranked('-measure_score', 'position') }}
            end
        ) as chosen,
        count(measure_score) as measures_present,
        count(*) filter (where weight > 0) as measures_expected,
        count(*) filter (where is_ageing) as measures_ageing
    from grouped
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
        added.measures_ageing,
        added.chosen.place as chosen_position,
        -- NULL where the account is asked for none of the group's measures yet: such a group is not missing either.
        {{ as_points('added.weight_present / nullif(added.weight_expected, 0)') }} as coverage,
        case groups.roll_up
            when 'lowest' then added.lowest
            when 'highest' then added.highest
            else {{ as_points('added.weighted_score / nullif(added.weight_present, 0)') }}
        end as group_score,
        case
            when added.measures_expected = 0 then null
            when groups.roll_up = 'highest' then coalesce(added.highest, 0)
            when groups.roll_up = 'mean' then {{ as_points('added.weighted_score / added.weight_expected') }}
            when added.measures_present = added.measures_expected then added.lowest
            else 0
        end as group_low,
        case
            when added.measures_expected = 0 then null
            when groups.roll_up = 'lowest' then coalesce(added.lowest, 100)
            when groups.roll_up = 'mean'
                then
                    {{ as_points(
                        '(added.weighted_score + 100 * (added.weight_expected - added.weight_present))'
                        ~ ' / added.weight_expected'
                    ) }}
            when added.measures_present = added.measures_expected then added.highest
            else 100
        end as group_high
    from added
    inner join {{ source('raw_config', 'scorecard_groups') }} as groups
        on added.scorecard_hash = groups.scorecard_hash and added.measure_group = groups.measure_group
)

select * from rolled_up
