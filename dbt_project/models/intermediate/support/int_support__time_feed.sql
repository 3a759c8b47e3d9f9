-- grain: day of the run; the newest solution known by its end of a ticket that says how long it took, whoever's it is
{{ config(materialized='table') }}
with solved as (
    select
        cast(solved_at as date) as solved_day,
        greatest(cast(solved_at as date), cast(created_at as date), known_day) as opens
    from {{ ref('int_support__tickets') }}
    where handling_minutes is not null and solved_at is not null
),

arrived as (
    select
        greatest(opens, {{ from_day() }}) as day,
        max(solved_day) as newest
    from solved
    where opens <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
