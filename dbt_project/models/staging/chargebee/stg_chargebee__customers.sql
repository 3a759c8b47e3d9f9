-- grain: customer of Chargebee
with newest as (
    {{ newest_of(source('raw_chargebee', 'customers')) }}
),

renamed as (
    select
        'chargebee' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain,
        is_deleted
    from newest
)

select * from renamed
