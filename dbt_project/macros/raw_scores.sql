{# From the scores of groups (account, day, scorecard version and group) the score before exceptions, its coverage and bounds:
   one row an account, day and scorecard version. What has no coverage is not asked for and weighs nothing. #}
{% macro raw_scores(group_scores) %}
with groups as (
    select
        group_scores.*,
        scorecards.roll_up as score_roll_up
    from {{ group_scores }} as group_scores
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on group_scores.scorecard_hash = scorecards.scorecard_hash
),

added as (
    select
        account_id,
        day,
        scorecard_hash,
        sum(case when coverage is not null then group_weight end) as weight_expected,
        sum(case when group_score is not null then group_weight end) as weight_present,
        sum(group_weight * group_score) as weighted_score,
        sum(group_weight * group_low) as weighted_low,
        sum(group_weight * group_high) as weighted_high,
        sum(group_weight * coverage) as weighted_coverage,
        min(group_score) as lowest,
        max(group_score) as highest,
        min(group_low) as lowest_low,
        max(group_low) as highest_low,
        min(group_high) as lowest_high,
        max(group_high) as highest_high,
        min(
            case
                when group_score is null or score_roll_up = 'mean' then null
                when score_roll_up = 'lowest' then {{ ranked('group_score', 'position') }}
                else {{ ranked('-group_score', 'position') }}
            end
        ) as chosen,
        sum(measures_present) as measures_present,
        sum(measures_expected) as measures_expected,
        sum(measures_ageing) as measures_ageing
    from groups
    group by account_id, day, scorecard_hash
),

final as (
    select
        applied.*,
        added.weight_present,
        added.chosen.place as chosen_position,
        coalesce(cast(added.weighted_coverage as double) / cast(added.weight_expected as double), 0) as coverage,
        case applied.roll_up
            when 'lowest' then cast(added.lowest as double)
            when 'highest' then cast(added.highest as double)
            else cast(added.weighted_score as double) / cast(added.weight_present as double)
        end as raw_score,
        coalesce(
            case applied.roll_up
                when 'lowest' then cast(added.lowest_low as double)
                when 'highest' then cast(added.highest_low as double)
                else cast(added.weighted_low as double) / cast(added.weight_expected as double)
            end,
            0
        ) as score_low,
        coalesce(
            case applied.roll_up
                when 'lowest' then cast(added.lowest_high as double)
                when 'highest' then cast(added.highest_high as double)
                else cast(added.weighted_high as double) / cast(added.weight_expected as double)
            end,
            100
        ) as score_high,
        cast(added.measures_present as integer) as measures_present,
        cast(added.measures_expected as integer) as measures_expected,
        cast(added.measures_ageing as integer) as measures_ageing
    from {{ ref('int_scorecards_applied') }} as applied
    inner join added
        on
            applied.account_id = added.account_id
            and applied.day = added.day
            and applied.scorecard_hash = added.scorecard_hash
)

select * from final
{% endmacro %}
