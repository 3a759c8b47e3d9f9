-- grain: rating of a ticket's answer or of a CSAT survey, on 0-100
with ratings as (
    select
        account_id,
        cast(coalesce(csat_at, solved_at, created_at) as date) as rated_day,
        greatest(cast(coalesce(csat_at, solved_at, created_at) as date), known_day) as known_day,
        csat_rating as rating,
        coalesce(csat_scale, 5) as scale
    from {{ ref('int_support__tickets') }}
    where is_account_known and csat_rating is not null
    union all
    select
        account_id,
        cast(responded_at as date),
        greatest(cast(responded_at as date), known_day),
        score,
        coalesce(scale, 5)
    from {{ ref('int_survey__responses') }}
    where is_account_known and kind = 'csat'
)

-- A decimal, so that running sums are exact whatever order they are added in; twelve places, as thirds do not end.
select
    account_id,
    rated_day,
    known_day,
    {{ as_points('100 * (rating - 1) / (scale - 1)') }} as satisfaction
from ratings
where rating between 1 and scale
