-- grain: account and day ever scored; int_accounts__days of every run, for questions about the past
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='append_new_columns',
) }}
select * from {{ ref('int_accounts__days') }}
