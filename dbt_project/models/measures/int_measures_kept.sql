-- grain: account, day ever scored and measure; every column of the measures_ models that is described as a measure
-- Kept whether a scorecard asks for it or not: a scorecard that does not exist yet may.
-- A division by zero or an overflow is not a number: it is not known, and has no row. Nor has usage while its feed is
-- down.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
-- depends_on: {{ ref('measures_usage') }}, {{ ref('measures_support') }}
-- depends_on: {{ ref('measures_survey') }}, {{ ref('measures_billing') }}
-- depends_on: {{ ref('measures_engagement') }}, {{ ref('measures_judgement') }}
-- depends_on: {{ ref('int_usage__outages') }}
{%- for measure in measures_defined() %}
select
    account_id,
    day,
    '{{ measure.name }}' as measure,
    {{ measure.name }}.value as value,
    {{ measure.name }}.sample_size as sample_size,
    {{ measure.name }}.observed_at as observed_at
from {{ ref(measure.model) }}
where
    {{ is_finite(measure.name ~ '.value') }}
    {%- if needs_entity(measure, 'usage_events') %}
    and day not in (select outages.day from {{ ref('int_usage__outages') }} as outages)
    {%- endif %}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
