-- grain: one bad answer: a detractor, a rating of one or two of five, a review of one or two stars
-- It can be known on `opens` at the soonest, and it is of `given_on`.
with answers as (
    select
        account_id,
        cast(responded_at as date) as given_on,
        greatest(cast(responded_at as date), known_day) as opens
    from {{ ref('int_survey__responses') }}
    where is_account_known and kind = 'nps' and score between 0 and 6
    union all
    select
        account_id,
        rated_day as given_on,
        known_day as opens
    from {{ ref('int_survey__satisfaction') }}
    where satisfaction <= 25
    union all
    select
        account_id,
        cast(occurred_at as date) as given_on,
        greatest(cast(occurred_at as date), known_day) as opens
    from {{ ref('int_engagement__events') }}
    where is_account_known and kind = 'review' and rating <= 2
)

select * from answers
