-- grain: account and day of the run
with counted as (
    {{ as_of_day(
        ref('int_survey__daily'),
        [
            'responses_change', 'promoters_change', 'detractors_change', 'ratings_change', 'satisfaction_change',
            'efforts_change', 'ease_change',
        ],
        ['newest_response', 'newest_rating', 'newest_effort']
    ) }}
),

-- Adjusted Wald: as if three more had answered, one promoter and one detractor in four of them. Shares of 1.
adjusted as (
    select
        *,
        cast(responses_change + 3 as double) as adjusted_responses,
        (promoters_change + 0.75e0) / (responses_change + 3) as promoters_share,
        (detractors_change + 0.75e0) / (responses_change + 3) as detractors_share
    from counted
),

final as (
    select
        account_id,
        day,
        {{ measure(
            '100 * (promoters_change - detractors_change) / nullif(responses_change, 0)',
            'responses_change',
            'newest_response'
        ) }} as nps,
        {{ measure(
            'case when responses_change > 0 then 100 * (promoters_share - detractors_share) end',
            'responses_change',
            'newest_response'
        ) }} as nps_adjusted,
        {{ measure(
            'case when responses_change > 0 then 196 * sqrt(
                (promoters_share + detractors_share - (promoters_share - detractors_share)
                    * (promoters_share - detractors_share)) / adjusted_responses
            ) end',
            'responses_change',
            'newest_response'
        ) }} as nps_margin,
        {{ measure(
            'cast(satisfaction_change as double) / nullif(ratings_change, 0)', 'ratings_change', 'newest_rating'
        ) }} as csat,
        {{ measure(
            'cast(ease_change as double) / nullif(efforts_change, 0)', 'efforts_change', 'newest_effort'
        ) }} as ces
    from adjusted
)

select * from final
