-- grain: user, as the files connector gave it
with rows_received as (
    select * from {{ source('raw_files', 'users') }}
),

renamed as (
    select
        'files' as source,
        user_id,
        account_id,
        min(known_at) over copies as known_at,
        cast(min(known_at) over copies as date) as known_day,
        row_number() over (partition by user_id order by known_at desc, _file_id desc, _line desc) as copy,
        account_ref,
        _file_id as file_id,
        _line as line
    from rows_received
    window copies as (partition by user_id)
),

-- Later rows of the same id carry what became of it (a solution, a payment): the newest counts, known since the first.
deduplicated as (
    select {{ all_but('copy') }}
    from renamed
    where copy = 1
)

select * from deduplicated
