-- grain: account and day of the run on which a count changed (the run's first day holds what stood before)
{{ config(materialized='table') }}
-- An event counts from the day it happened or, if later, became known: a meeting in the calendar is none yet.
with events as (
    select
        account_id,
        kind,
        rating,
        sentiment,
        cast(occurred_at as date) as occurred_day,
        greatest(cast(occurred_at as date), known_day, {{ from_day() }}) as opens
    from {{ ref('int_engagement__events') }}
    where is_account_known and greatest(cast(occurred_at as date), known_day) <= {{ to_day() }}
),

spans as (
    select
        account_id, opens, {{ add_days('occurred_day', 90) }} as closes,
        1 as community, 0 as ratings, 0 as stars, 0 as mentions, 0 as sentiment, 0 as trainings
    from events
    where kind in ('community_post', 'community_answer')
    union all
    select account_id, opens, {{ add_days('occurred_day', 365) }}, 0, 1, rating, 0, 0, 0
    from events
    where kind = 'review' and rating is not null
    union all
    select account_id, opens, {{ add_days('occurred_day', 90) }}, 0, 0, 0, 1, sentiment, 0
    from events
    where kind = 'social_mention' and sentiment is not null
    union all
    select account_id, opens, {{ add_days('occurred_day', 180) }}, 0, 0, 0, 0, 0, 1
    from events
    where kind = 'training'
),

changes as (
    select account_id, opens as day, community, ratings, stars, mentions, sentiment, trainings
    from spans
    where closes > opens
    union all
    select account_id, closes, -community, -ratings, -stars, -mentions, -sentiment, -trainings
    from spans
    where closes > opens and closes <= {{ to_day() }}
    union all
    select account_id, opens, 0, 0, 0, 0, 0, 0
    from events
),

counted as (
    select
        account_id,
        day,
        cast(sum(community) as bigint) as community_change,
        cast(sum(ratings) as bigint) as ratings_change,
        cast(sum(stars) as decimal(18, 4)) as stars_change,
        cast(sum(mentions) as bigint) as mentions_change,
        cast(sum(sentiment) as decimal(18, 4)) as sentiment_change,
        cast(sum(trainings) as bigint) as trainings_change
    from changes
    group by account_id, day
),

newest as (
    select
        account_id,
        opens as day,
        max(case when kind = 'review' and rating is not null then occurred_day end) as newest_rating,
        max(case when kind = 'social_mention' and sentiment is not null then occurred_day end) as newest_mention,
        max(case when kind = 'meeting' then occurred_day end) as newest_meeting,
        max(case when kind not in ('review', 'social_mention') then occurred_day end) as newest_contact
    from events
    group by account_id, opens
),

final as (
    select
        counted.*,
        newest.newest_rating,
        newest.newest_mention,
        newest.newest_meeting,
        newest.newest_contact
    from counted
    left join newest
        on counted.account_id = newest.account_id and counted.day = newest.day
)

select * from final
