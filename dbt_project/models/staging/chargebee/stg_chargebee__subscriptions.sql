-- grain: subscription and version
with rows_received as (
    select
        *,
        row_number() over (partition by id order by _seq) = 1 as is_first
    from {{ source('raw_chargebee', 'subscriptions') }}
),

plans as (
    select
        parent_id,
        _seq,
        min(plan) as plan,
        cast(sum(quantity) as bigint) as seats
    from {{ source('raw_chargebee', 'subscription_items') }}
    where item_type = 'plan'
    group by parent_id, _seq
),

renamed as (
    select
        'chargebee' as source,
        received.id as subscription_id,
        received.customer_id as account_id,
        coalesce(received.plan, plans.plan) as plan,
        received.status,
        {{ in_currency('received.mrr', 'received.currency', 'chargebee') }} as mrr,
        coalesce(received.seats, plans.seats) as seats,
        received.status = 'in_trial' as is_trial,
        cast(received.started_at as date) as started_on,
        cast(
            coalesce(received.cancelled_at, case when received.is_deleted then received.updated_at end) as date
        ) as ended_on,
        case when received.is_first then received.created_at else received._loaded_at end as known_at,
        cast(case when received.is_first then received.created_at else received._loaded_at end as date) as known_day,
        received._seq as line
    from rows_received as received
    left join plans
        on received.id = plans.parent_id and received._seq = plans._seq
),

deduplicated as (
    select *
    from renamed
    qualify row_number() over (partition by subscription_id, known_at order by line desc) = 1
)

select * from deduplicated
