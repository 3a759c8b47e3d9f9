-- grain: breach: a run of days in which an alert rule holds for an account
with days as (
    select
        breach_days.*,
        rules.dwell_days,
        rules.close_days,
        rules.unknown_days,
        rules.kind
    from {{ ref('int_breach_days') }} as breach_days
    inner join {{ source('raw_config', 'alert_rules') }} as rules
        on breach_days.rule = rules.rule
),

changed as (
    select
        *,
        sum(case when holds then 0 else 1 end) over account_days as held_run,
        sum(case when is_clear then 0 else 1 end) over account_days as clear_run,
        sum(case when value is null then 0 else 1 end) over account_days as unknown_run
    from days
    window account_days as (partition by rule, account_id order by day rows unbounded preceding)
),

counted as (
    select
        *,
        sum(case when holds then 1 else 0 end) over (
            partition by rule, account_id, held_run order by day rows unbounded preceding
        ) as held_days,
        sum(case when is_clear then 1 else 0 end) over (
            partition by rule, account_id, clear_run order by day rows unbounded preceding
        ) as clear_days,
        sum(case when value is null then 1 else 0 end) over (
            partition by rule, account_id, unknown_run order by day rows unbounded preceding
        ) as unknown_in_a_row
    from changed
),

-- A breach opens after dwell_days in which the rule held; it closes after close_days in which it was clear, or after
-- unknown_days in which nobody could say.
signalled as (
    select
        *,
        case
            when holds and held_days >= dwell_days then true
            when is_clear and clear_days >= close_days then false
            when unknown_in_a_row >= unknown_days then false
        end as signal
    from counted
),

stated as (
    select
        *,
        coalesce(
            last_value(signal ignore nulls) over (
                partition by rule, account_id order by day rows between unbounded preceding and current row
            ),
            false
        ) as is_open
    from signalled
),

bounded as (
    select
        *,
        is_open and not coalesce(lag(is_open) over (partition by rule, account_id order by day), false) as opens,
        max(day) over (partition by rule, account_id) as last_day
    from stated
),

numbered as (
    select
        *,
        sum(case when opens then 1 else 0 end) over (
            partition by rule, account_id order by day rows unbounded preceding
        ) as episode
    from bounded
),

newest as (
    select max(day) as day
    from {{ ref('fct_health_scores') }}
),

episodes as (
    select
        rule,
        account_id,
        episode,
        min(case when is_open then day end) as opened_on,
        max(case when is_open then day end) as last_open_on,
        min(case when not is_open then day end) as first_not_open,
        arg_min(
            case when not is_open then case when value is null then 'not_known' else 'cleared' end end, day
        ) as close_reason,
        max(last_day) as last_day,
        arg_min(case when is_open then value end, day) as value_at_open,
        case
            when max(kind) = 'measure_above' then max(case when is_open then value end)
            else min(case when is_open then value end)
        end as worst_value
    from numbered
    where episode > 0
    group by rule, account_id, episode
),

-- An account that is no longer scored has no breach: nobody can close it any more.
closed as (
    select
        episodes.rule,
        episodes.account_id,
        episodes.episode,
        episodes.opened_on,
        episodes.last_open_on,
        episodes.last_day,
        episodes.value_at_open,
        episodes.worst_value,
        coalesce(
            episodes.first_not_open,
            case when episodes.last_day < newest.day then {{ add_days('episodes.last_day', 1) }} end
        ) as closed_on,
        case
            when episodes.first_not_open is not null then episodes.close_reason
            when episodes.last_day < newest.day then 'not_scored'
        end as close_reason
    from episodes
    cross join newest
),

peaks as (
    select
        numbered.rule,
        numbered.account_id,
        numbered.episode,
        min(numbered.day) as peak_on
    from numbered
    inner join episodes
        on
            numbered.rule = episodes.rule
            and numbered.account_id = episodes.account_id
            and numbered.episode = episodes.episode
            and numbered.value = episodes.worst_value
            and numbered.is_open
    group by numbered.rule, numbered.account_id, numbered.episode
),

final as (
    select
        md5(closed.rule || '|' || closed.account_id || '|' || cast(closed.opened_on as varchar)) as breach_id,
        closed.account_id,
        closed.rule,
        rules.title,
        rules.severity,
        rules.lens,
        closed.opened_on,
        closed.closed_on,
        closed.close_reason,
        closed.closed_on is null as is_open,
        cast(
            {{ days_from(
                'closed.opened_on', 'coalesce(closed.closed_on, ' ~ add_days('closed.last_day', 1) ~ ')'
            ) }}
            as bigint
        ) as days_open,
        closed.value_at_open,
        closed.worst_value,
        peaks.peak_on
    from closed
    inner join {{ source('raw_config', 'alert_rules') }} as rules
        on closed.rule = rules.rule
    left join peaks
        on
            closed.rule = peaks.rule
            and closed.account_id = peaks.account_id
            and closed.episode = peaks.episode
)

select * from final
