-- grain: event, or a row already counted by day, as the files connector gave it (repeats are kept here: counting them needs the whole history)
with rows_received as (
    select * from {{ source('raw_files', 'usage_events') }}
),

renamed as (
    select
        'files' as source,
        account_id,
        subscription_id,
        user_id,
        event_id,
        event_name,
        occurred_at,
        quantity,
        duration_seconds,
        known_at,
        cast(known_at as date) as known_day,
        account_ref,
        _file_id as file_id,
        _line as line
    from rows_received
)

select * from renamed
