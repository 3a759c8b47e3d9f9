-- grain: conversation
with reopened as (
    select
        id,
        min(updated_at) as reopened_at
    from {{ source('raw_intercom', 'conversations') }}
    where reopens > 0
    group by id
),

newest as (
    {{ newest_of(source('raw_intercom', 'conversations')) }}
),

renamed as (
    select
        'intercom' as source,
        newest.contact_id as account_id,
        newest.id as ticket_id,
        case when newest.priority = 'priority' then 'high' else 'normal' end as severity,
        newest.state as status,
        newest.created_at,
        newest.first_replied_at,
        case when newest.state = 'closed' then coalesce(newest.closed_at, newest.updated_at) end as solved_at,
        reopened.reopened_at,
        cast(newest.handling_seconds / cast(60 as decimal(18, 4)) as decimal(18, 4)) as handling_minutes,
        cast(newest.rating as decimal(18, 4)) as csat_rating,
        cast(case when newest.rating is not null then 5 end as bigint) as csat_scale,
        case when newest.rating is not null then coalesce(newest.rated_at, newest.updated_at) end as csat_at,
        newest.created_at as known_at,
        cast(newest.created_at as date) as known_day
    from newest
    left join reopened
        on newest.id = reopened.id
)

select * from renamed
