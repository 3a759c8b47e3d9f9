-- grain: account and version; a version holds from known_from up to, not including, known_until
with received as (
    select * from {{ accounts_received() }}
),

last_of_day as (
    select *
    from received
    qualify row_number() over (partition by account_id, known_day order by known_at desc, file_id desc, line desc) = 1
),

dated as (
    select
        account_id,
        coalesce(name, account_id) as account_name,
        segment,
        plan,
        lifecycle_stage,
        industry,
        region,
        owner,
        parent_account_id,
        arr,
        seats,
        coalesce(has_unlimited_seats, false) as has_unlimited_seats,
        priority,
        created_on,
        renewal_on,
        notice_days,
        ended_on,
        is_churned,
        lower(domain) as domain,
        source,
        file_id,
        line,
        known_day as known_from,
        lead(known_day) over (partition by account_id order by known_day) as known_until
    from last_of_day
)

select * from dated
