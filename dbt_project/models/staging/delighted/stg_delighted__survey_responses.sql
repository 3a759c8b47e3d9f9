-- grain: response
with newest as (
    {{ newest_of(source('raw_delighted', 'survey_responses')) }}
),

scaled as (
    select
        *,
        case
            when survey_type = 'nps' then 'nps'
            when survey_type in ('ces', 'ces7') then 'ces'
            when survey_type in ('csat', 'stars5', 'smileys', 'thumbs') then 'csat'
        end as kind,
        case survey_type when 'nps' then 10 when 'ces7' then 7 when 'thumbs' then 2 else 5 end as scale
    from newest
),

renamed as (
    select
        'delighted' as source,
        person_id as account_id,
        'delighted:' || person_id as user_id,
        id as response_id,
        kind,
        -- A thumb is 0 or 1.
        case when survey_type = 'thumbs' then score + 1 else score end as score,
        scale,
        created_at as responded_at,
        created_at as known_at,
        cast(created_at as date) as known_day
    from scaled
    where kind is not null and score is not null
)

select * from renamed
