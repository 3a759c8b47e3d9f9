-- grain: subscription and version
with rows_received as (
    select
        *,
        row_number() over (partition by id order by _seq) = 1 as is_first
    from {{ source('raw_stripe', 'subscriptions') }}
    where not coalesce(is_deleted, false)
),

items as (
    select
        parent_id,
        _seq,
        min(plan) as plan,
        cast(sum(quantity) as bigint) as seats,
        sum(
            cast(
                unit_amount * coalesce(quantity, 1)
                * case interval_name when 'day' then 365 when 'week' then 52 when 'month' then 12 else 1 end
                / (12 * coalesce(interval_count, 1)) as decimal(18, 4)
            )
        ) filter (where coalesce(usage_type, 'licensed') = 'licensed') as monthly_amount
    from {{ source('raw_stripe', 'subscription_items') }}
    group by parent_id, _seq
),

renamed as (
    select
        'stripe' as source,
        received.id as subscription_id,
        received.customer_id as account_id,
        items.plan,
        received.status,
        case
            when received.status in ('incomplete', 'incomplete_expired') then 0
            else {{ in_currency('items.monthly_amount', 'received.currency', 'stripe') }}
        end as mrr,
        items.seats,
        received.status = 'trialing' as is_trial,
        cast(received.started_at as date) as started_on,
        cast(received.ended_at as date) as ended_on,
        case when received.is_first then received.created_at else received._loaded_at end as known_at,
        cast(case when received.is_first then received.created_at else received._loaded_at end as date) as known_day,
        received._seq as line
    from rows_received as received
    left join items
        on received.id = items.parent_id and received._seq = items._seq
),

deduplicated as (
    select *
    from renamed
    qualify row_number() over (partition by subscription_id, known_at order by line desc) = 1
)

select * from deduplicated
