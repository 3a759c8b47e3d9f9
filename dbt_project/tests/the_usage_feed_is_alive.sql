-- On no day of the run has the usage feed fallen silent; on such a day usage is not known.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'int_usage__outages'}}}) }}
select *
from {{ ref('int_usage__outages') }}
where day between {{ from_day() }} and {{ to_day() }}
