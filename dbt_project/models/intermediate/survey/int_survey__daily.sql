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
        opens,
        least({{ add_days('responded_day', 180) }}, coalesce(answered_again, date '9999-12-31')) as closes,
        1 as responses,
        promoters,
        detractors,
        0 as ratings,
        {{ as_points('0') }} as satisfaction,
        0 as efforts,
        {{ as_points('0') }} as ease,
        responded_day as newest_response,
        cast(null as date) as newest_rating,
        cast(null as date) as newest_effort
    from nps_responses
    union all
    select
        account_id,
        known_day,
        {{ add_days('rated_day', 90) }},
        0,
        0,
        0,
        1,
        satisfaction,
        0,
        0,
        null,
        rated_day,
        null
    from {{ ref('int_survey__satisfaction') }}
    union all
    select
        account_id,
        known_day,
        {{ add_days('answered_day', 90) }},
        0,
        0,
        0,
        0,
        0,
        1,
        ease,
        null,
        null,
        answered_day
    from {{ ref('int_survey__effort') }}
)

{{ span_changes(
    'spans',
    {
        'responses': 'bigint', 'promoters': 'bigint', 'detractors': 'bigint', 'ratings': 'bigint',
        'satisfaction': 'decimal(28, 12)', 'efforts': 'bigint', 'ease': 'decimal(28, 12)',
    },
    ['newest_response', 'newest_rating', 'newest_effort']
) }}
