-- grain: what responses say of whose they are
with rows_received as (
    select * from {{ source('raw_typeform', 'responses') }}
),

renamed as (
    select
        'typeform' as source,
        coalesce(external_id, lower(domain), email_domain) as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain,
        submitted_at,
        _seq as line
    from rows_received
),

deduplicated as (
    select {{ all_but(['submitted_at', 'line']) }}
    from renamed
    where customer_id is not null
    qualify row_number() over (partition by customer_id order by submitted_at desc, line desc) = 1
)

select * from deduplicated
