-- grain: day of the run; the newest invoice known by its end, whoever's it is
{{ config(materialized='table') }}
with arrived as (
    select
        greatest(known_day, {{ from_day() }}) as day,
        max(issued_on) as newest
    from {{ ref('int_billing__invoices') }}
    where known_day <= {{ to_day() }}
    group by 1
)

{{ feed_days('arrived') }}
