-- grain: ticket
-- Its customer is its organization, else that of the user who asked; else the user.
with reopened as (
    select
        id,
        min(updated_at) as reopened_at
    from {{ source('raw_zendesk', 'tickets') }}
    where reopens > 0
    group by id
),

newest as (
    {{ newest_of(source('raw_zendesk', 'tickets')) }}
),

users as (
    {{ newest_of(source('raw_zendesk', 'users')) }}
),

ratings as (
    select
        ticket_id,
        score,
        coalesce(updated_at, created_at) as rated_at
    from {{ source('raw_zendesk', 'satisfaction_ratings') }}
    where score in ('good', 'bad')
    qualify row_number() over (partition by ticket_id order by coalesce(updated_at, created_at) desc, _seq desc) = 1
),

-- The ticket tells the rating as it is now; the rating itself when it was given.
rated as (
    select
        newest.*,
        users.organization_id as organization_of_requester,
        reopened.reopened_at,
        case when newest.rating in ('good', 'bad') then newest.rating else ratings.score end as rating_in_force,
        ratings.rated_at
    from newest
    left join reopened
        on newest.id = reopened.id
    left join ratings
        on newest.id = ratings.ticket_id
    left join users
        on newest.requester_id = users.id
    where coalesce(newest.status, '') <> 'deleted'
),

renamed as (
    select
        'zendesk' as source,
        coalesce(organization_id, organization_of_requester, {{ zendesk_user('requester_id') }}) as account_id,
        id as ticket_id,
        priority as severity,
        status,
        created_at,
        first_response_minutes,
        case when status in ('solved', 'closed') then coalesce(solved_at, updated_at) end as solved_at,
        reopened_at,
        cast(case rating_in_force when 'good' then 2 when 'bad' then 1 end as decimal(18, 4)) as csat_rating,
        cast(case when rating_in_force is not null then 2 end as bigint) as csat_scale,
        case when rating_in_force is not null then coalesce(rated_at, updated_at) end as csat_at,
        created_at as known_at,
        cast(created_at as date) as known_day
    from rated
)

select * from renamed
