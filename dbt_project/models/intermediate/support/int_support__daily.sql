-- grain: account and day of the run on which a count changed (the run's first day holds what stood before)
{{ config(materialized='table') }}
with steps as (
    select * from {{ ref('int_support__steps') }}
),

open_days as (
    select account_id, severity, opened_day as opens, coalesce(solved_day, date '9999-12-31') as closes
    from steps
    union all
    select account_id, severity, greatest(opened_day, reopened_day), date '9999-12-31'
    from steps
    where is_open_again
),

-- Weights in half points, so that their sums are exact: urgent 4, high 2, normal 1, low 0.5.
open_spans as (
    select
        account_id,
        opens,
        closes,
        case when severity = 'urgent' then 1 else 0 end as urgent,
        case severity when 'urgent' then 8 when 'high' then 4 when 'low' then 1 else 2 end as half_points
    from open_days
),

spans as (
    select
        account_id,
        opened_day as opens,
        {{ add_days('created_day', 90) }} as closes,
        1 as tickets,
        0 as open,
        0 as open_urgent,
        0 as open_half_points
    from steps
    union all
    select account_id, opens, closes, 0, 1, urgent, half_points
    from open_spans
)

{{ span_changes(
    'spans', {'tickets': 'bigint', 'open': 'bigint', 'open_urgent': 'bigint', 'open_half_points': 'bigint'}
) }}
