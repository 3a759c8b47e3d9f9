-- grain: account, day of the run and measure
{{ config(materialized='view') }}
select *
from {{ ref('int_measures_kept') }}
where day between {{ from_day() }} and {{ to_day() }}
