-- grain: subscription and version; a version holds from known_from up to, not including, known_until
with last_of_day as (
    select *
    from {{ received('subscriptions') }}
    qualify
        row_number() over (partition by subscription_id, known_day order by known_at desc, file_id desc, line desc) = 1
),

dated as (
    select
        subscription_id,
        account_id,
        plan,
        status,
        mrr,
        seats,
        coalesce(is_trial, false) as is_trial,
        is_churned,
        started_on,
        ended_on,
        source,
        file_id,
        line,
        known_day as known_from,
        lead(known_day) over (partition by subscription_id order by known_day) as known_until
    from last_of_day
)

select * from dated
