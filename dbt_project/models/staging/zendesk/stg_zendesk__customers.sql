-- grain: organization of Zendesk; and user of no organization who has opened a ticket
-- Of a deleted organization the last that it told still says which account its tickets belong to.
with organizations as (
    {{ newest_of(source('raw_zendesk', 'organizations')) }}
),

users as (
    {{ newest_of(source('raw_zendesk', 'users')) }}
),

renamed as (
    select
        'zendesk' as source,
        id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain
    from organizations
    union all
    select
        'zendesk' as source,
        {{ zendesk_user('id') }} as customer_id,
        null as external_id,
        null as domain,
        email_domain
    from users
    where
        organization_id is null
        and id in (select tickets.requester_id from {{ source('raw_zendesk', 'tickets') }} as tickets)
)

select * from renamed
