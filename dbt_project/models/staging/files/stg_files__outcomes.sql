-- grain: outcome (for validation only, never scored), as the files connector gave it
with rows_received as (
    select * from {{ source('raw_files', 'outcomes') }}
),

renamed as (
    select
        'files' as source,
        outcome_id,
        account_id,
        kind,
        decided_on,
        amount,
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
    qualify row_number() over (partition by outcome_id order by known_at, file_id, line) = 1
)

select * from deduplicated
