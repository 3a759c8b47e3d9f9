-- grain: day on which usage rows became known; what was wrong with them, and the first row of each kind
-- A kind of fault that is added later is known of the days that are built from then on; the others keep NULL.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='fact_days',
    on_schema_change='append_new_columns',
) }}
{%- set kinds = [
    ('repeats', 'is_repeat'), ('without_account', 'not is_account_known'), ('before_subscription', 'is_before_subscription'),
] %}
select
    known_day,
    {%- for kind, condition in kinds %}
    count(*) filter (where {{ condition }}) as {{ kind }},
    min({{ ranked('file_id', 'line') }}) filter (where {{ condition }}) as first_of_{{ kind }},
    {%- endfor %}
    count(*) as rows_received
from {{ ref('int_usage__events') }}
group by known_day
