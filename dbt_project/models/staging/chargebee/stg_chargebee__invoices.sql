-- grain: invoice
with newest as (
    {{ newest_of(source('raw_chargebee', 'invoices')) }}
),

renamed as (
    select
        'chargebee' as source,
        customer_id as account_id,
        subscription_id,
        id as invoice_id,
        {{ in_currency('total', 'currency', 'chargebee') }} as amount,
        case when status = 'voided' then 'void' else status end as status,
        cast(issued_at as date) as issued_on,
        cast(coalesce(due_at, issued_at) as date) as due_on,
        cast(paid_at as date) as paid_on,
        issued_at as known_at,
        cast(issued_at as date) as known_day
    from newest
    where not coalesce(is_deleted, false) and status <> 'pending'
)

select * from renamed
