-- grain: subscription and version, as the files connector gave it
with rows_received as (
    select * from {{ source('raw_files', 'subscriptions') }}
),

renamed as (
    select
        'files' as source,
        subscription_id,
        account_id,
        plan,
        status,
        mrr,
        seats,
        is_trial,
        is_churned,
        started_on,
        ended_on,
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
    qualify row_number() over (partition by subscription_id, known_at order by file_id desc, line desc) = 1
)

select * from deduplicated
