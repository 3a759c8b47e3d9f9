-- grain: response with a score
with rows_received as (
    select * from {{ source('raw_typeform', 'responses') }}
),

renamed as (
    select
        'typeform' as source,
        coalesce(external_id, lower(domain), email_domain) as account_id,
        'typeform:' || respondent as user_id,
        id as response_id,
        kind,
        score,
        scale,
        submitted_at as responded_at,
        submitted_at as known_at,
        cast(submitted_at as date) as known_day
    from rows_received
    where score is not null
)

select * from renamed
