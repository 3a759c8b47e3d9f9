-- grain: event
with rows_received as (
    select * from {{ source('raw_posthog', 'events') }}
),

renamed as (
    select
        'posthog' as source,
        coalesce(external_id, lower(domain), lower(email_domain)) as account_id,
        'posthog:' || person_id as user_id,
        id as event_id,
        event as event_name,
        occurred_at,
        received_at as known_at,
        cast(received_at as date) as known_day
    from rows_received
)

select * from renamed
