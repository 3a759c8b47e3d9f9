-- grain: account and day of the run; no engagement event in the whole feed yet is NULL, none of this account's is 0
with counted as (
    {{ as_of_day(
        ref('int_engagement__daily'),
        ['community_change', 'ratings_change', 'stars_change', 'mentions_change', 'sentiment_change', 'trainings_change'],
        ['newest_rating', 'newest_mention', 'newest_meeting', 'newest_contact']
    ) }}
),

joined as (
    select
        counted.*,
        case when feed.feed_day is not null then counted.community_change end as community_90d,
        case when feed.feed_day is not null then counted.trainings_change end as trainings,
        feed.feed_day
    from counted
    left join {{ ref('int_engagement__feed') }} as feed
        on counted.day = feed.day
),

final as (
    select
        account_id,
        day,
        {{ measure('community_90d', 'community_90d', 'feed_day') }} as community_activity_90d,
        {{ measure('cast(stars_change as double) / nullif(ratings_change, 0)', 'ratings_change', 'newest_rating') }}
            as review_rating,
        {{ measure(
            'cast(sentiment_change as double) / nullif(mentions_change, 0)', 'mentions_change', 'newest_mention'
        ) }} as social_sentiment,
        {{ measure('trainings', 'trainings', 'feed_day') }} as trainings_180d,
        {{ measure(days_from('newest_meeting', 'day'), 'case when newest_meeting is not null then 1 end', 'feed_day') }}
            as days_since_last_meeting,
        {{ measure(days_from('newest_contact', 'day'), 'case when newest_contact is not null then 1 end', 'feed_day') }}
            as days_since_last_contact
    from joined
)

select * from final
