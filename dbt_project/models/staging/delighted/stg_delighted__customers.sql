-- grain: person of Delighted
with rows_received as (
    select * from {{ source('raw_delighted', 'survey_responses') }}
),

renamed as (
    select
        'delighted' as source,
        person_id as customer_id,
        external_id,
        lower(domain) as domain,
        email_domain,
        created_at,
        _seq as line
    from rows_received
    where person_id is not null
),

deduplicated as (
    select {{ all_but('created_at') }}
    from renamed
    qualify row_number() over (partition by customer_id order by created_at desc, line desc) = 1
)

select * from deduplicated
