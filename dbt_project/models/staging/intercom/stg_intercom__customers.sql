-- grain: contact of Intercom
with companies as (
    {{ newest_of(source('raw_intercom', 'companies')) }}
),

contacts as (
    {{ newest_of(source('raw_intercom', 'contacts')) }}
),

renamed as (
    select
        'intercom' as source,
        contacts.id as customer_id,
        companies.external_id,
        lower(companies.domain) as domain,
        contacts.email_domain
    from contacts
    left join companies
        on contacts.company_id = companies.id
)

select * from renamed
