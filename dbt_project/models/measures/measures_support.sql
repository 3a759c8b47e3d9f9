-- grain: account and day of the run; no ticket in the whole feed yet is NULL, none of this account's is 0
with counted as (
    {{ as_of_day(
        ref('int_support__daily'), ['tickets_change', 'open_change', 'open_urgent_change', 'open_half_points_change']
    ) }}
),

worked as (
    {{ as_of_day(
        ref('int_support__work_daily'),
        [
            'replies_change', 'response_seconds_change', 'solutions_change', 'resolved_change',
            'resolution_seconds_change', 'reopened_change', 'timed_change', 'handling_minutes_change',
        ],
        ['newest_reply', 'newest_solution']
    ) }}
),

joined as (
    select
        account_days.account_id,
        account_days.day,
        account_days.seats,
        case when feed.feed_day is not null then counted.tickets_change end as tickets_90d,
        case when feed.feed_day is not null then counted.open_change end as open_tickets,
        case when feed.feed_day is not null then counted.open_urgent_change end as open_urgent,
        case when feed.feed_day is not null then counted.open_half_points_change end as open_half_points,
        feed.feed_day,
        worked.replies_change as replies,
        cast(worked.response_seconds_change as double) as response_seconds,
        worked.solutions_change as solutions,
        worked.resolved_change as resolved,
        cast(worked.resolution_seconds_change as double) as resolution_seconds,
        cast(worked.reopened_change as double) as reopened,
        case when time_feed.feed_day is not null then worked.timed_change end as timed,
        cast(worked.handling_minutes_change as double) as handling_minutes,
        worked.newest_reply,
        worked.newest_solution,
        time_feed.feed_day as time_feed_day
    from {{ ref('int_accounts__days') }} as account_days
    inner join counted
        on account_days.account_id = counted.account_id and account_days.day = counted.day
    inner join worked
        on account_days.account_id = worked.account_id and account_days.day = worked.day
    left join {{ ref('int_support__feed') }} as feed
        on account_days.day = feed.day
    left join {{ ref('int_support__time_feed') }} as time_feed
        on account_days.day = time_feed.day
),

final as (
    select
        account_id,
        day,
        {{ measure('100 * tickets_90d / nullif(seats, 0)', 'tickets_90d', 'feed_day') }} as tickets_per_100_seats_90d,
        {{ measure('open_urgent', 'open_urgent', 'feed_day') }} as open_urgent_tickets,
        {{ measure('cast(open_half_points as double) / 2', 'open_tickets', 'feed_day') }} as open_ticket_load,
        {{ measure('response_seconds / 3600 / nullif(replies, 0)', 'replies', 'newest_reply') }}
            as first_response_hours_90d,
        {{ measure('resolution_seconds / 3600 / nullif(resolved, 0)', 'resolved', 'newest_solution') }}
            as resolution_hours_90d,
        {{ measure('reopened / nullif(solutions, 0)', 'solutions', 'newest_solution') }} as reopen_rate_90d,
        -- Solutions of which none says how long it took are not known to have taken no time.
        {{ measure(
            'case when timed > 0 or (timed = 0 and solutions = 0) then handling_minutes / 60 end', 'timed', 'time_feed_day'
        ) }} as support_hours_90d
    from joined
)

select * from final
