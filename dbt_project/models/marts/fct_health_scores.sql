-- grain: account, day and scorecard version
{%- set trends = [7, 30, 90] %}
{%- set last_compared = add_days(to_day(), 90) if is_incremental() and has_days_after(this) else to_day() %}
{%- set columns = [
    'account_id', 'day', 'lens', 'scorecard_id', 'scorecard_version', 'scorecard_hash', 'scorecard_status', 'segment',
    'arr', 'raw_score', 'score', 'band', 'status', 'coverage', 'score_low', 'score_high', 'peer_percentile', 'adjustment',
    'exception_effect', 'override_effect', 'measures_present', 'measures_expected', 'measures_ageing',
] %}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='trend_days',
    reads_itself=true,
    on_schema_change='append_new_columns',
) }}
with scored as (
    select * from {{ ref('int_health_scores') }}
    where not is_bridge
),

-- Days after the run's own were compared with days that may just have changed: their trends are made anew.
kept as (
    select {{ columns_of(this, columns) if is_incremental() else '*' }}
    from {{ this if is_incremental() else ref('int_health_scores') }}
    where
        {{ 'true' if is_incremental() else 'false' }}
        and (
            day between {{ from_day() }} and {{ add_days(to_day(), 90) }}
            {%- for days in trends %}
            or day between {{ add_days(from_day(), -days) }} and {{ add_days(last_compared, -days) }}
            {%- endfor %}
        )
        and not (day between {{ from_day() }} and {{ to_day() }} and {{ is_current_version() }})
),

united as (
    select {{ columns | join(', ') }}
    from scored
    union all
    select {{ columns | join(', ') }}
    from kept
),

-- Active is compared with active, candidate with candidate; where a day was scored under several versions, one in force
-- goes before one that is not.
comparable as (
    select
        united.account_id,
        united.day,
        united.scorecard_id,
        united.scorecard_status,
        united.score
    from united
    left join {{ source('raw_config', 'scorecards') }} as scorecards
        on united.scorecard_hash = scorecards.scorecard_hash
    qualify
        row_number() over (
            partition by united.account_id, united.day, united.scorecard_id, united.scorecard_status
            order by coalesce(scorecards.is_current, false) desc, united.scorecard_hash
        ) = 1
),

compared as (
    select
        {% for days in trends %}
        united.score - before_{{ days }}.score as trend_{{ days }}d,
        {% endfor %}
        united.*
    from united
    {% for days in trends %}
    left join comparable as before_{{ days }}
        on
            united.account_id = before_{{ days }}.account_id
            and united.scorecard_id = before_{{ days }}.scorecard_id
            and united.scorecard_status = before_{{ days }}.scorecard_status
            and {{ add_days('united.day', -days) }} = before_{{ days }}.day
    {% endfor %}
),

final as (
    select
        account_id,
        day,
        lens,
        scorecard_id,
        scorecard_version,
        scorecard_hash,
        scorecard_status,
        segment,
        cast(arr as decimal(18, 4)) as arr,
        raw_score,
        score,
        band,
        status,
        coverage,
        score_low,
        score_high,
        trend_7d,
        trend_30d,
        trend_90d,
        peer_percentile,
        adjustment,
        exception_effect,
        override_effect,
        measures_present,
        measures_expected,
        measures_ageing
    from compared
    where
        day between {{ from_day() }} and {{ to_day() }} and {{ is_current_version() }}
        or day > {{ to_day() }}
)

select * from final
