-- grain: account and day of the run; no ticket in the whole feed yet is NULL, none of this account's is 0
with counted as (
    {{ as_of_day(ref('int_support__daily'), ['tickets_change', 'open_urgent_change']) }}
),

joined as (
    select
        account_days.account_id,
        account_days.day,
        account_days.seats,
        case when feed.feed_day is not null then counted.tickets_change end as tickets_90d,
        case when feed.feed_day is not null then counted.open_urgent_change end as open_urgent,
        feed.feed_day
    from {{ ref('int_accounts__days') }} as account_days
    inner join counted
        on account_days.account_id = counted.account_id and account_days.day = counted.day
    left join {{ ref('int_support__feed') }} as feed
        on account_days.day = feed.day
),

final as (
    select
        account_id,
        day,
        {{ measure('100 * tickets_90d / nullif(seats, 0)', 'tickets_90d', 'feed_day') }} as tickets_per_100_seats_90d,
        {{ measure('open_urgent', 'open_urgent', 'feed_day') }} as open_urgent_tickets
    from joined
)

select * from final
