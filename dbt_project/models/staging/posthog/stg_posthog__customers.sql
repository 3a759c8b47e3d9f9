-- grain: what events say of whose they are
with rows_received as (
    select * from {{ source('raw_posthog', 'events') }}
),

renamed as (
    select
        'posthog' as source,
        coalesce(external_id, lower(domain), lower(email_domain)) as customer_id,
        external_id,
        lower(domain) as domain,
        lower(email_domain) as email_domain,
        received_at,
        _seq as line
    from rows_received
),

deduplicated as (
    select {{ all_but(['received_at', 'line']) }}
    from renamed
    where customer_id is not null
    qualify row_number() over (partition by customer_id order by received_at desc, line desc) = 1
)

select * from deduplicated
