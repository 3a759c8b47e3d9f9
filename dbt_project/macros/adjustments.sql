{# From the scores of measures (account, day, scorecard version and measure) the bounds that exceptions and overrides set to
   the score, and why: one row an account, day and scorecard version under any. #}
{% macro adjustments(measure_scores) %}
with exceptions as (
    select
        scores.account_id,
        scores.day,
        scores.scorecard_hash,
        rules.kind,
        rules.limit_score,
        rules.reason
    from {{ measure_scores }} as scores
    inner join {{ source('raw_config', 'scorecard_exceptions') }} as rules
        on
            scores.missing_reason is null
            and scores.scorecard_hash = rules.scorecard_hash
            and scores.measure = rules.measure
            and (rules.value_from is null or scores.value >= rules.value_from)
            and (rules.value_to is null or scores.value < rules.value_to)
),

overrides as (
    select
        applied.account_id,
        applied.day,
        applied.scorecard_hash,
        overrides.kind,
        cast(overrides.score as double) as limit_score,
        overrides.reason || ' (' || overrides.author || ', until ' || cast(overrides.expires_on as string) || ')'
            as reason
    from {{ ref('int_scorecards_applied') }} as applied
    inner join {{ ref('int_judgement__overrides') }} as overrides
        on
            applied.account_id = overrides.account_id
            and applied.day >= greatest(overrides.starts_on, overrides.known_day)
            and applied.day < overrides.expires_on
),

united as (
    select
        *,
        'exception' as origin
    from exceptions
    union all
    select
        *,
        'override' as origin
    from overrides
),

final as (
    select
        account_id,
        day,
        scorecard_hash,
        min(case when origin = 'exception' and kind = 'cap' then limit_score end) as exception_cap,
        max(case when origin = 'exception' and kind = 'floor' then limit_score end) as exception_floor,
        min(case when origin = 'override' and kind = 'cap' then limit_score end) as override_cap,
        max(case when origin = 'override' and kind = 'floor' then limit_score end) as override_floor,
        min(case when origin = 'override' and kind = 'value' then limit_score end) as override_value,
        {{ text_list(
            "kind || ' ' || cast(cast(limit_score as integer) as string) || ': ' || reason", order_by='kind, reason'
        ) }} as adjustment
    from united
    group by account_id, day, scorecard_hash
)

select * from final
{% endmacro %}
