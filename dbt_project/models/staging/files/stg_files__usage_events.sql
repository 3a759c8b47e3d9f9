-- grain: event, or a row already counted by day, as the files connector gave it
-- Repeats stay: which copy came first is seen in the whole history, and only the run's days are looked up in it.
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
