-- grain: charge
with newest as (
    {{ newest_of(source('raw_stripe', 'charges')) }}
),

renamed as (
    select
        'stripe' as source,
        id as charge_id,
        customer_id as account_id,
        invoice_id,
        status,
        {{ in_currency('amount', 'currency', 'stripe') }} as amount,
        {{ in_currency('amount_refunded', 'currency', 'stripe') }} as amount_refunded,
        is_paid,
        created_at,
        created_at as known_at,
        cast(created_at as date) as known_day
    from newest
    where not coalesce(is_deleted, false)
)

select * from renamed
