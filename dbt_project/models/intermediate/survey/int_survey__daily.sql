-- grain: account and day of the run on which a count changed (the run's first day holds what stood before)
{{ config(materialized='table') }}
with nps_responses as (
    select
        account_id,
        cast(responded_at as date) as responded_day,
        greatest(cast(responded_at as date), known_day) as opens,
        case when score >= 9 then 1 else 0 end as promoters,
        case when score <= 6 then 1 else 0 end as detractors,
        -- Whichever younger response is known first takes its place, the next one or a later.
        min(greatest(cast(responded_at as date), known_day)) over (
            partition by account_id, coalesce(user_id, response_id)
            order by responded_at, response_id rows between 1 following and unbounded following
        ) as answered_again
    from {{ ref('int_survey__responses') }}
    where is_account_known and kind = 'nps' and score between 0 and 10
),

spans as (
    select
        account_id,
        responded_day as newest,
        opens,
        least({{ add_days('responded_day', 180) }}, coalesce(answered_again, date '9999-12-31')) as closes,
        1 as responses,
        promoters,
        detractors,
        0 as ratings,
        cast(0 as decimal(18, 6)) as satisfaction,
        0 as efforts,
        {{ as_points('0') }} as ease
    from nps_responses
    union all
    select
        account_id,
        rated_day,
        known_day,
        {{ add_days('rated_day', 90) }},
        0,
        0,
        0,
        1,
        satisfaction,
        0,
        0
    from {{ ref('int_survey__satisfaction') }}
    union all
    select
        account_id,
        answered_day,
        known_day,
        {{ add_days('answered_day', 90) }},
        0,
        0,
        0,
        0,
        0,
        1,
        ease
    from {{ ref('int_survey__effort') }}
),

clipped as (
    select
        * exclude (opens),
        greatest(opens, {{ from_day() }}) as opens
    from spans
    where closes > greatest(opens, {{ from_day() }}) and opens <= {{ to_day() }}
),

changes as (
    select
        account_id, opens as day, responses, promoters, detractors, ratings, satisfaction, efforts, ease,
        case when responses > 0 then newest end as newest_response,
        case when ratings > 0 then newest end as newest_rating,
        case when efforts > 0 then newest end as newest_effort
    from clipped
    union all
    select
        account_id, closes, -responses, -promoters, -detractors, -ratings, -satisfaction, -efforts, -ease,
        null, null, null
    from clipped
),

final as (
    select
        account_id,
        day,
        cast(sum(responses) as bigint) as responses_change,
        cast(sum(promoters) as bigint) as promoters_change,
        cast(sum(detractors) as bigint) as detractors_change,
        cast(sum(ratings) as bigint) as ratings_change,
        cast(sum(satisfaction) as decimal(18, 6)) as satisfaction_change,
        cast(sum(efforts) as bigint) as efforts_change,
        cast(sum(ease) as decimal(28, 12)) as ease_change,
        max(newest_response) as newest_response,
        max(newest_rating) as newest_rating,
        max(newest_effort) as newest_effort
    from changes
    where day <= {{ to_day() }}
    group by account_id, day
)

select * from final
