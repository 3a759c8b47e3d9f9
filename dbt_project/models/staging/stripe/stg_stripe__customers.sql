-- grain: customer of Stripe
-- A deleted customer tells nothing but its id; what it last told still says which account its invoices belong to.
with rows_received as (
    select
        *,
        max(case when is_deleted then 1 else 0 end) over (partition by id) = 1 as is_gone
    from {{ source('raw_stripe', 'customers') }}
),

renamed as (
    select
        'stripe' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain,
        is_gone as is_deleted,
        _seq as line
    from rows_received
    where not coalesce(is_deleted, false)
),

deduplicated as (
    select *
    from renamed
    qualify row_number() over (partition by customer_id order by line desc) = 1
)

select * from deduplicated
