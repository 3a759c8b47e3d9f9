-- grain: account of Salesforce
with newest as (
    {{ newest_of(source('raw_salesforce', 'accounts')) }}
),

customers as (
    select distinct id
    from {{ source('raw_salesforce', 'accounts') }}
    where coalesce(is_account, true)
),

renamed as (
    select
        'salesforce' as source,
        newest.id as customer_id,
        newest.external_id,
        lower(newest.domain) as domain,
        newest.email_domain,
        newest.is_deleted
    from newest
    inner join customers
        on newest.id = customers.id
)

select * from renamed
