-- grain: account, day ever scored and measure; int_measures of every run, asked for by a scorecard or not
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
select * from {{ ref('int_measures') }}
