-- grain: account, day of the run and scorecard version under an exception or an override; the bounds they set and why
{{ config(materialized='view') }}
{{ adjustments(ref('int_measure_scores')) }}
