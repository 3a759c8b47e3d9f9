-- grain: day of the run; the newest invoice that was issued and known by its end, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(issued_on, known_day, {{ from_day() }}) as day,
        max(issued_on) as newest
    from {{ ref('int_billing__invoices') }}
    where greatest(issued_on, known_day) <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
