-- grain: day of the run; the newest usage known by its end that says how long it took, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(event_day, known_day, {{ from_day() }}) as day,
        max(event_day) as newest
    from {{ ref('int_usage__daily') }}
    where duration_seconds > 0 and greatest(event_day, known_day) <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
