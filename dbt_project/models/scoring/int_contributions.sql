-- grain: account, day of the run, scorecard version and measure; the weight in force and the points it brings
{{ config(materialized='view') }}
with of_measures as (
    {{ contributions(ref('int_measure_scores'), ref('int_group_scores'), ref('int_scores_of_measures')) }}
),

of_lenses as (
    {{ contributions(ref('int_lens_scores'), ref('int_lens_scores'), ref('int_scores_of_lenses')) }}
)

select * from of_measures
union all
select * from of_lenses
