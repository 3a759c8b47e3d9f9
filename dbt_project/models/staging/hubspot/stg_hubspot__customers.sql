-- grain: company of HubSpot
-- Of a deleted company the last that it told still says which account its answers belong to.
with newest as (
    {{ newest_of(source('raw_hubspot', 'companies')) }}
),

renamed as (
    select
        'hubspot' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        lower(email_domain) as email_domain
    from newest
)

select * from renamed
