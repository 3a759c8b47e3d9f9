-- grain: alert rule, account and day; does the rule hold, and is it clear again
-- Between the two it is neither; where the value is NULL nobody can say. Accounts that the rule is not for are clear.
-- Kept: a day says what its run knew. Other rules, or other scorecards in force, judge all days anew (breach_days.sql).
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='breach_days',
    on_schema_change='fail',
) }}
with rules as (
    select * from {{ source('raw_config', 'alert_rules') }}
),

days_scored as (
    select scores.*
    from {{ ref('fct_health_scores') }} as scores
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where
        scores.scorecard_status = 'active'
        and {{ is_breach_day('scores.day', this, compared=true) if is_incremental() else 'true' }}
    qualify
        row_number() over (
            partition by scores.account_id, scores.day, scores.lens
            order by scorecards.is_current desc, scores.scorecard_hash
        ) = 1
),

scores as (
    select * from days_scored
    where {{ is_breach_day('day', this) if is_incremental() else 'true' }}
),

by_score as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        -- To be in no band is a thing to know for the rule that asks for it, and only for that one.
        case when rules.band = 'insufficient_data' then scores.coverage else scores.score end as value,
        case
            when rules.kind = 'score_below' then scores.score < rules.line
            when rules.kind = 'band_is' then scores.band = rules.band
        end as holds,
        case
            when rules.kind = 'score_below' then scores.score >= rules.line + rules.close_margin
            when scores.band <> 'insufficient_data' or rules.band = 'insufficient_data' then scores.band <> rules.band
        end as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    where rules.kind in ('score_below', 'band_is')
),

by_fall as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        scores.score - earlier.score as value,
        earlier.score - scores.score >= rules.points as holds,
        earlier.score - scores.score < rules.points - rules.close_margin as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    left join days_scored as earlier
        on
            scores.account_id = earlier.account_id
            and scores.lens = earlier.lens
            and {{ add_days('scores.day', '-rules.days') }} = earlier.day
    where rules.kind = 'score_fell'
),

by_band_fall as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        scores.score - earlier.score as value,
        {{ band_rank('scores.band') }} < {{ band_rank('earlier.band') }} as holds,
        {{ band_rank('scores.band') }} >= {{ band_rank('earlier.band') }} as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    left join days_scored as earlier
        on
            scores.account_id = earlier.account_id
            and scores.lens = earlier.lens
            and {{ add_days('scores.day', '-rules.days') }} = earlier.day
    where rules.kind = 'band_fell'
),

-- Any measure, whether a scorecard asks for it or not.
by_measure as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        measures.value,
        case rules.kind
            when 'measure_above' then measures.value > rules.line
            when 'measure_below' then measures.value < rules.line
            else
                (scores.band = 'green' and measures.value <= -rules.line)
                or (scores.band = 'red' and measures.value >= rules.line)
        end as holds,
        case rules.kind
            when 'measure_above' then measures.value <= rules.line - rules.close_margin
            when 'measure_below' then measures.value >= rules.line + rules.close_margin
            when 'revenue_disagrees'
                then
                    scores.band <> 'insufficient_data'
                    and (scores.band <> 'green' or measures.value > -rules.line)
                    and (scores.band <> 'red' or measures.value < rules.line)
        end as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    left join {{ ref('int_measures_kept') }} as measures
        on
            scores.account_id = measures.account_id
            and scores.day = measures.day
            and case rules.kind when 'revenue_disagrees' then 'mrr_change' else rules.measure end = measures.measure
    where rules.kind in ('measure_above', 'measure_below', 'revenue_disagrees')
),

by_age as (
    select
        rules.rule,
        measures.account_id,
        measures.day,
        cast({{ days_from('cast(measures.observed_at as date)', 'measures.day') }} as double) as value,
        coalesce(measures.missing_reason = 'stale', false) as holds,
        measures.missing_reason is null as is_clear
    from rules
    inner join {{ ref('fct_measure_scores') }} as measures
        on rules.lens = measures.lens and rules.measure = measures.measure
    inner join scores
        on
            measures.account_id = scores.account_id
            and measures.day = scores.day
            and measures.scorecard_hash = scores.scorecard_hash
    where rules.kind = 'measure_stale'
),

by_renewal as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        cast({{ days_from('scores.day', 'accounts.renewal_on') }} as double) as value,
        scores.band <> 'green'
        and accounts.renewal_on >= scores.day
        and accounts.renewal_on <= {{ add_days('scores.day', 'rules.days') }} as holds,
        scores.band = 'green'
        or accounts.renewal_on < scores.day
        or accounts.renewal_on > {{ add_days('scores.day', 'rules.days') }} as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    inner join {{ ref('int_accounts__days_kept') }} as accounts
        on scores.account_id = accounts.account_id and scores.day = accounts.day
    where rules.kind = 'renewal_near'
),

feedback as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        count(*) as answers
    from rules
    inner join scores
        on rules.lens = scores.lens
    inner join {{ ref('int_bad_feedback') }} as feedback
        on
            scores.account_id = feedback.account_id
            and scores.day >= feedback.opens
            and scores.day < {{ add_days('feedback.given_on', 'rules.days') }}
    where rules.kind = 'bad_feedback'
    group by rules.rule, scores.account_id, scores.day
),

by_feedback as (
    select
        rules.rule,
        scores.account_id,
        scores.day,
        cast(coalesce(feedback.answers, 0) as double) as value,
        feedback.answers is not null as holds,
        feedback.answers is null as is_clear
    from rules
    inner join scores
        on rules.lens = scores.lens
    left join feedback
        on rules.rule = feedback.rule and scores.account_id = feedback.account_id and scores.day = feedback.day
    where rules.kind = 'bad_feedback'
),

all_days as (
    select * from by_score
    union all
    select * from by_fall
    union all
    select * from by_band_fall
    union all
    select * from by_measure
    union all
    select * from by_age
    union all
    select * from by_renewal
    union all
    select * from by_feedback
),

conditions as (
    select * from {{ source('raw_config', 'alert_conditions') }}
),

-- Days on which the account is not one that the rule is for.
outside as (
    select
        asked.rule,
        scores.account_id,
        scores.day
    from (select distinct rule, field from conditions) as asked
    inner join rules
        on asked.rule = rules.rule
    inner join scores
        on rules.lens = scores.lens
    left join {{ ref('int_accounts__days_kept') }} as accounts
        on scores.account_id = accounts.account_id and scores.day = accounts.day
    left join conditions as met
        on
            asked.rule = met.rule
            and asked.field = met.field
            and {{ condition_met('accounts', 'met') }}
    where met.rule is null
    group by asked.rule, scores.account_id, scores.day
),

final as (
    select
        all_days.rule,
        all_days.account_id,
        all_days.day,
        all_days.value,
        coalesce(all_days.holds, false) and outside.day is null as holds,
        coalesce(all_days.is_clear, false) or outside.day is not null as is_clear,
        settings.alerts_hash
    from all_days
    cross join {{ source('raw_config', 'settings') }} as settings
    left join outside
        on all_days.rule = outside.rule and all_days.account_id = outside.account_id and all_days.day = outside.day
)

select * from final
