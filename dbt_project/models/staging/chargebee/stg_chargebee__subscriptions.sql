-- grain: subscription and version
with rows_received as (
    select
        *,
        row_number() over (partition by id order by _seq) = 1 as is_first
    from {{ source('raw_chargebee', 'subscriptions') }}
),

renamed as (
    select
        'chargebee' as source,
        id as subscription_id,
        customer_id as account_id,
        plan,
        status,
        {{ in_currency('mrr', 'currency', 'chargebee') }} as mrr,
        seats,
        status = 'in_trial' as is_trial,
        cast(started_at as date) as started_on,
        cast(coalesce(cancelled_at, case when is_deleted then updated_at end) as date) as ended_on,
        case when is_first then created_at else _loaded_at end as known_at,
        cast(case when is_first then created_at else _loaded_at end as date) as known_day,
        _seq as line
    from rows_received
),

deduplicated as (
    select *
    from renamed
    qualify row_number() over (partition by subscription_id, known_at order by line desc) = 1
)

select * from deduplicated
