-- grain: account and day of the run on which a sum of 90 days changed (the run's first day holds what stood before)
-- First answers, solutions, reopenings and the time spent, each within 90 days of its own day (of the solution, for the
-- last two). A ticket that is open again is solved no more: its time to the solution no longer counts.
{{ config(materialized='table') }}
with steps as (
    select * from {{ ref('int_support__steps') }}
),

spans as (
    select
        account_id,
        greatest(replied_day, opened_day) as opens,
        {{ add_days('replied_day', 90) }} as closes,
        replied_day as newest_reply,
        cast(null as date) as newest_solution,
        1 as replies,
        response_seconds,
        0 as solutions,
        0 as resolved,
        0 as resolution_seconds,
        0 as reopened,
        0 as timed,
        cast(0 as decimal(18, 4)) as handling_minutes
    from steps
    where replied_day is not null
    union all
    select
        account_id,
        greatest(solved_day, opened_day),
        {{ add_days('solved_day', 90) }},
        null, solved_day,
        0, 0, 1, 0, 0, 0, case when handling_minutes is not null then 1 else 0 end, coalesce(handling_minutes, 0)
    from steps
    where solved_day is not null
    union all
    select
        account_id,
        greatest(solved_day, opened_day),
        case
            when is_open_again and reopened_day < {{ add_days('solved_day', 90) }} then reopened_day
            else {{ add_days('solved_day', 90) }}
        end,
        null, null,
        0, 0, 0, 1, resolution_seconds, 0, 0, 0
    from steps
    where resolution_seconds is not null
    union all
    select
        account_id,
        greatest(solved_day, opened_day, reopened_day),
        {{ add_days('solved_day', 90) }},
        null, null,
        0, 0, 0, 0, 0, 1, 0, 0
    from steps
    where solved_day is not null and reopened_day is not null
)

{{ span_changes(
    'spans',
    {
        'replies': 'bigint', 'response_seconds': 'bigint', 'solutions': 'bigint', 'resolved': 'bigint',
        'resolution_seconds': 'bigint', 'reopened': 'bigint', 'timed': 'bigint', 'handling_minutes': 'decimal(28, 4)',
    },
    ['newest_reply', 'newest_solution']
) }}
