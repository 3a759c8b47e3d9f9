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
        greatest(cast(occurred_at as date), known_day) as opens
    from {{ ref('int_engagement__events') }}
    where is_account_known
),

spans as (
    select
        account_id, opens, {{ add_days('occurred_day', 90) }} as closes,
        1 as community, 0 as ratings, 0 as stars, 0 as mentions, 0 as sentiment, 0 as trainings,
        cast(null as date) as newest_rating, cast(null as date) as newest_mention,
        cast(null as date) as newest_meeting, cast(null as date) as newest_contact
    from events
    where kind in ('community_post', 'community_answer')
    union all
    select account_id, opens, {{ add_days('occurred_day', 365) }}, 0, 1, rating, 0, 0, 0, null, null, null, null
    from events
    where kind = 'review' and rating is not null
    union all
    select account_id, opens, {{ add_days('occurred_day', 90) }}, 0, 0, 0, 1, sentiment, 0, null, null, null, null
    from events
    where kind = 'social_mention' and sentiment is not null
    union all
    select account_id, opens, {{ add_days('occurred_day', 180) }}, 0, 0, 0, 0, 0, 1, null, null, null, null
    from events
    where kind = 'training'
    union all
    -- The newest of a kind stays the newest: it counts for ever.
    select
        account_id, opens, date '9999-12-31', 0, 0, 0, 0, 0, 0,
        case when kind = 'review' and rating is not null then occurred_day end,
        case when kind = 'social_mention' and sentiment is not null then occurred_day end,
        case when kind = 'meeting' then occurred_day end,
        case when kind not in ('review', 'social_mention') then occurred_day end
    from events
)

{{ span_changes(
    'spans',
    {
        'community': 'bigint', 'ratings': 'bigint', 'stars': 'decimal(18, 4)', 'mentions': 'bigint',
        'sentiment': 'decimal(18, 4)', 'trainings': 'bigint',
    },
    ['newest_rating', 'newest_mention', 'newest_meeting', 'newest_contact']
) }}
