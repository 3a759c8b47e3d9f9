-- grain: account and version (a later `known_at` is a newer version), as the files connector gave it
with rows_received as (
    select * from {{ source('raw_files', 'accounts') }}
),

renamed as (
    select
        'files' as source,
        account_id,
        name,
        segment,
        plan,
        lifecycle_stage,
        industry,
        region,
        owner,
        parent_account_id,
        arr,
        seats,
        has_unlimited_seats,
        priority,
        created_on,
        renewal_on,
        notice_days,
        ended_on,
        is_churned,
        domain,
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
    qualify row_number() over (partition by account_id, known_at order by file_id desc, line desc) = 1
)

select * from deduplicated
