-- grain: day of the run; the newest engagement event that had happened and was known by its end, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(cast(occurred_at as date), known_day, {{ from_day() }}) as day,
        max(cast(occurred_at as date)) as newest
    from {{ ref('int_engagement__events') }}
    where greatest(cast(occurred_at as date), known_day) <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
