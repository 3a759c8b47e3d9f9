-- grain: day of the run; the newest solution known by its end of a ticket that says how long it took, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(solved_day, opened_day, {{ from_day() }}) as day,
        max(solved_day) as newest
    from {{ ref('int_support__steps') }}
    where handling_minutes is not null and greatest(solved_day, opened_day) <= {{ to_day() }} and solved_day is not null
    group by 1
)

{{ feed_days('arrived') }}
