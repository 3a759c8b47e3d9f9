-- grain: invoice
with newest as (
    {{ newest_of(source('raw_stripe', 'invoices')) }}
),

renamed as (
    select
        'stripe' as source,
        customer_id as account_id,
        subscription_id,
        id as invoice_id,
        {{ in_currency('total', 'currency', 'stripe') }} as amount,
        status,
        cast(coalesce(finalized_at, created_at) as date) as issued_on,
        cast(coalesce(due_at, finalized_at, created_at) as date) as due_on,
        cast(paid_at as date) as paid_on,
        created_at as known_at,
        cast(created_at as date) as known_day
    from newest
    where not coalesce(is_deleted, false)
)

select * from renamed
