-- grain: account, day of the run and scorecard version; the score after exceptions and overrides, and its band
{{ config(materialized='view') }}
select *
from {{ ref('int_scores_of_measures') }}
union all
select *
from {{ ref('int_scores_of_lenses') }}
