-- grain: account and day of the run
with counted as (
    {{ as_of_day(
        ref('int_survey__daily'),
        ['responses_change', 'promoters_change', 'detractors_change', 'ratings_change', 'satisfaction_change'],
        ['newest_response', 'newest_rating']
    ) }}
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
            'cast(satisfaction_change as double) / nullif(ratings_change, 0)', 'ratings_change', 'newest_rating'
        ) }} as csat
    from counted
)

select * from final
