-- grain: account and day of the run
{{ config(materialized='view') }}
select *
from {{ ref('int_accounts__days_kept') }}
where day between {{ from_day() }} and {{ to_day() }}
