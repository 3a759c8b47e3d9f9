-- grain: answer to a customer effort survey, on 0-100; higher is less effort
with answers as (
    select
        account_id,
        cast(responded_at as date) as answered_day,
        greatest(cast(responded_at as date), known_day) as known_day,
        score,
        coalesce(scale, 7) as scale
    from {{ ref('int_survey__responses') }}
    where is_account_known and kind = 'ces'
)

-- A decimal, so that running sums are exact whatever order they are added in; twelve places, as sixths do not end.
select
    account_id,
    answered_day,
    known_day,
    {{ as_points('100 * (score - 1) / (scale - 1)') }} as ease
from answers
where score between 1 and scale
