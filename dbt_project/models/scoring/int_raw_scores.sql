-- grain: account, day of the run and scorecard version; the score before exceptions, its coverage and bounds
{{ config(materialized='view') }}
{{ raw_scores(ref('int_group_scores')) }}
