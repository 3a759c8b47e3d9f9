-- grain: organization of Zendesk
-- Of a deleted organization the last that it told still says which account its tickets belong to.
with newest as (
    {{ newest_of(source('raw_zendesk', 'organizations')) }}
),

renamed as (
    select
        'zendesk' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain
    from newest
)

select * from renamed
