-- grain: ticket
with newest as (
    {{ newest_of(source('raw_freshdesk', 'tickets')) }}
),

ratings as (
    select
        ticket_id,
        created_at as rated_at,
        case when rating >= 100 then rating - 96 else rating + 104 end as rating
    from {{ source('raw_freshdesk', 'satisfaction_ratings') }}
    where abs(rating) between 100 and 103
    qualify row_number() over (partition by ticket_id order by created_at desc, _seq desc) = 1
),

renamed as (
    select
        'freshdesk' as source,
        newest.company_id as account_id,
        newest.id as ticket_id,
        case newest.priority when 1 then 'low' when 3 then 'high' when 4 then 'urgent' else 'normal' end as severity,
        case newest.status
            when 2 then 'open'
            when 3 then 'pending'
            when 4 then 'solved'
            when 5 then 'closed'
            else cast(newest.status as string)
        end as status,
        newest.created_at,
        newest.first_responded_at as first_replied_at,
        case
            when newest.status in (4, 5) then coalesce(newest.resolved_at, newest.closed_at, newest.updated_at)
        end as solved_at,
        newest.reopened_at,
        cast(ratings.rating as decimal(18, 4)) as csat_rating,
        cast(case when ratings.rating is not null then 7 end as bigint) as csat_scale,
        ratings.rated_at as csat_at,
        newest.created_at as known_at,
        cast(newest.created_at as date) as known_day
    from newest
    left join ratings
        on newest.id = ratings.ticket_id
    where not coalesce(newest.is_discarded, false)
)

select * from renamed
