-- grain: company of HubSpot
-- Of a deleted company the last that it told still says which account its answers belong to. Where config takes its
-- accounts from HubSpot, a company that never was one (a lead) is no customer.
with newest as (
    {{ newest_of(source('raw_hubspot', 'companies')) }}
),

customers as (
    select distinct id
    from {{ source('raw_hubspot', 'companies') }}
    where coalesce(is_account, true)
),

renamed as (
    select
        'hubspot' as source,
        newest.id as customer_id,
        newest.external_id,
        lower(newest.domain) as domain,
        lower(newest.email_domain) as email_domain,
        newest.is_deleted
    from newest
    inner join customers
        on newest.id = customers.id
)

select * from renamed
