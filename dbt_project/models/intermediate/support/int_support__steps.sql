-- grain: ticket of a known account; the days of its steps, and the seconds from its opening to the answer and the end
-- A row says what became of a ticket. A day in it is known from that day on and, as the ticket, not before opened_day.
with tickets as (
    select
        *,
        -- Twenty years and more are no answer: a time that far ahead may not even exist.
        case
            when first_response_minutes < 10000000 then cast(round(60 * first_response_minutes) as bigint)
        end as told_seconds
    from {{ ref('int_support__tickets') }}
    where is_account_known
),

answered as (
    select
        *,
        coalesce(first_replied_at, {{ add_seconds('created_at', 'told_seconds') }}) as replied_at,
        coalesce({{ seconds_from('created_at', 'first_replied_at') }}, told_seconds) as response_seconds,
        {{ seconds_from('created_at', 'solved_at') }} as resolution_seconds
    from tickets
),

final as (
    select
        ticket_id,
        account_id,
        severity,
        cast(created_at as date) as created_day,
        greatest(cast(created_at as date), known_day) as opened_day,
        case when response_seconds >= 0 then cast(replied_at as date) end as replied_day,
        case when response_seconds >= 0 then response_seconds end as response_seconds,
        cast(solved_at as date) as solved_day,
        case when resolution_seconds >= 0 then resolution_seconds end as resolution_seconds,
        cast(reopened_at as date) as reopened_day,
        coalesce(reopened_at > solved_at, false) as is_open_again,
        handling_minutes
    from answered
)

select * from final
