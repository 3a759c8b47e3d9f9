-- grain: company of Freshdesk
with newest as (
    {{ newest_of(source('raw_freshdesk', 'companies')) }}
),

renamed as (
    select
        'freshdesk' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain
    from newest
)

select * from renamed
