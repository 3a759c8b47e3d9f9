-- grain: engagement event, as the files connector gave it
with rows_received as (
    select * from {{ source('raw_files', 'engagement_events') }}
),

renamed as (
    select
        'files' as source,
        account_id,
        subscription_id,
        user_id,
        engagement_id,
        kind,
        occurred_at,
        rating,
        sentiment,
        known_at,
        cast(known_at as date) as known_day,
        account_ref,
        _file_id as file_id,
        _line as line
    from rows_received
),

deduplicated as (
    select *
    from renamed
    qualify row_number() over (partition by engagement_id order by known_at, file_id, line) = 1
)

select * from deduplicated
