-- grain: day of the run; the newest ticket that was opened and known by its end, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(cast(created_at as date), known_day, {{ from_day() }}) as day,
        max(cast(created_at as date)) as newest
    from {{ ref('int_support__tickets') }}
    where greatest(cast(created_at as date), known_day) <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
