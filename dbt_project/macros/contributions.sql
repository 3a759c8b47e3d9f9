{# What each measure's score brings to the raw score: one row an account, day, scorecard version and measure. #}
{% macro contributions(measure_scores, group_scores, raw_scores) %}
with weighed as (
    select
        scores.account_id,
        scores.day,
        scores.scorecard_hash,
        scores.measure,
        scores.value,
        scores.normalised_value,
        scores.sample_size,
        scores.observed_at,
        scores.measure_score,
        scores.missing_reason,
        scores.is_ageing,
        measures.measure_group,
        totals.lens,
        totals.scorecard_id,
        totals.is_bridge,
        case
            when scores.measure_score is null then 0
            when groups.roll_up in ('lowest', 'highest')
                then case when measures.position = groups.chosen_position then 1 else 0 end
            else cast(scores.weight as double) / groups.weight_present
        end as weight_in_group,
        case
            when groups.group_score is null then 0
            when totals.roll_up in ('lowest', 'highest')
                then case when groups.position = totals.chosen_position then 1 else 0 end
            else cast(groups.group_weight as double) / cast(totals.weight_present as double)
        end as weight_of_group
    from {{ measure_scores }} as scores
    inner join {{ source('raw_config', 'scorecard_measures') }} as measures
        on scores.scorecard_hash = measures.scorecard_hash and scores.measure = measures.measure
    inner join {{ group_scores }} as groups
        on
            scores.account_id = groups.account_id
            and scores.day = groups.day
            and scores.scorecard_hash = groups.scorecard_hash
            and measures.measure_group = groups.measure_group
    inner join {{ raw_scores }} as totals
        on
            scores.account_id = totals.account_id
            and scores.day = totals.day
            and scores.scorecard_hash = totals.scorecard_hash
),

final as (
    select
        account_id,
        day,
        lens,
        scorecard_id,
        scorecard_hash,
        measure,
        measure_group,
        value,
        normalised_value,
        sample_size,
        observed_at,
        cast(measure_score as double) as measure_score,
        weight_of_group * weight_in_group as weight_in_force,
        weight_of_group * weight_in_group * cast(measure_score as double) as contribution,
        weight_of_group * weight_in_group * (100 - cast(measure_score as double)) as points_lost,
        missing_reason,
        is_ageing,
        is_bridge
    from weighed
)

select * from final
{% endmacro %}
