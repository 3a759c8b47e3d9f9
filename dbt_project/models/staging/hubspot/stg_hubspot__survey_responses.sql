-- grain: response
with newest as (
    {{ newest_of(source('raw_hubspot', 'feedback_submissions')) }}
),

renamed as (
    select
        'hubspot' as source,
        company_id as account_id,
        'hubspot:' || contact_id as user_id,
        id as response_id,
        lower(survey_type) as kind,
        -- The three faces count from 0.
        case when lower(survey_type) = 'csat' and csat_scale = 3 then value + 1 else value end as score,
        case lower(survey_type) when 'csat' then csat_scale when 'ces' then 7 else 10 end as scale,
        submitted_at as responded_at,
        submitted_at as known_at,
        cast(submitted_at as date) as known_day
    from newest
    where
        not coalesce(is_deleted, false)
        and lower(survey_type) in ('nps', 'csat', 'ces')
        and value is not null
)

select * from renamed
