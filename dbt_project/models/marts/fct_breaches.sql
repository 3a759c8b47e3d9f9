-- grain: breach: a run of days in which an alert rule holds for an account
with days as (
    select
        breach_days.*,
        rules.dwell_days,
        rules.close_days,
        rules.kind
    from {{ ref('int_breach_days') }} as breach_days
    inner join {{ source('raw_config', 'alert_rules') }} as rules
        on breach_days.rule = rules.rule
),

changed as (
    select
        *,
        sum(case when holds then 0 else 1 end) over account_days as held_run,
        sum(case when is_clear then 0 else 1 end) over account_days as clear_run
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
        ) as clear_days
    from changed
),

-- A breach opens after dwell_days in which the rule held; it closes after close_days in which it was clear.
signalled as (
    select
        *,
        case
            when holds and held_days >= dwell_days then true
            when is_clear and clear_days >= close_days then false
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

episodes as (
    select
        rule,
        account_id,
        episode,
        min(case when is_open then day end) as opened_on,
        max(case when is_open then day end) as last_open_on,
        min(case when not is_open then day end) as closed_on,
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
        md5(episodes.rule || '|' || episodes.account_id || '|' || cast(episodes.opened_on as varchar)) as breach_id,
        episodes.account_id,
        episodes.rule,
        rules.title,
        rules.severity,
        rules.lens,
        episodes.opened_on,
        episodes.closed_on,
        episodes.closed_on is null as is_open,
        cast(
            {{ days_from(
                'episodes.opened_on', 'coalesce(episodes.closed_on, ' ~ add_days('episodes.last_day', 1) ~ ')'
            ) }}
            as bigint
        ) as days_open,
        episodes.value_at_open,
        episodes.worst_value,
        peaks.peak_on
    from episodes
    inner join {{ source('raw_config', 'alert_rules') }} as rules
        on episodes.rule = rules.rule
    left join peaks
        on
            episodes.rule = peaks.rule
            and episodes.account_id = peaks.account_id
            and episodes.episode = peaks.episode
)

select * from final
