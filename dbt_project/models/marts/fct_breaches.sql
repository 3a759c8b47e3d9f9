-- grain: breach: a run of days in which an alert rule holds for an account
with recursive rules as (
    select
        *,
        -- The worst value is the lowest of this sign times it.
        case when kind in ('measure_above', 'measure_stale', 'bad_feedback') then -1 else 1 end as sign
    from {{ source('raw_config', 'alert_rules') }}
),

ever_held as (
    select distinct
        rule,
        account_id
    from {{ ref('int_breach_days') }}
    where holds
),

days as (
    select
        breach_days.*,
        row_number() over (partition by breach_days.rule, breach_days.account_id order by breach_days.day) as place
    from {{ ref('int_breach_days') }} as breach_days
    inner join ever_held
        on breach_days.rule = ever_held.rule and breach_days.account_id = ever_held.account_id
),

-- How many days in a row it has been so: those since the last one on which it was not.
counted as (
    select
        *,
        place - max(case when holds then 0 else place end) over account_days as held_days,
        place - max(case when is_clear then 0 else place end) over account_days as clear_days,
        place - max(case when value is null then 0 else place end) over account_days as unknown_in_a_row
    from days
    window account_days as (partition by rule, account_id order by day rows unbounded preceding)
),

-- A breach opens after dwell_days in which the rule held; it closes after close_days in which it was clear, or after
-- unknown_days in which nobody could say.
signalled as (
    select
        counted.rule,
        counted.account_id,
        counted.day,
        counted.value,
        case
            when counted.held_days >= rules.dwell_days then true
            when counted.clear_days >= rules.close_days then false
            when counted.unknown_in_a_row >= rules.unknown_days then false
        end as signal
    from counted
    inner join rules
        on counted.rule = rules.rule
),

heard as (
    select
        *,
        lag(signal) over (partition by rule, account_id order by day) as signal_before
    from signalled
    where signal is not null
),

turns as (
    select
        rule,
        account_id,
        day,
        signal,
        lead(day) over later as closed_on,
        lead(case when value is null then 'not_known' else 'cleared' end) over later as close_reason
    from heard
    where signal <> coalesce(signal_before, false)
    window later as (partition by rule, account_id order by day)
),

candidates as (
    select
        turns.rule,
        turns.account_id,
        row_number() over (partition by turns.rule, turns.account_id order by turns.day) as place,
        turns.day as opens,
        turns.closed_on as closes,
        turns.close_reason,
        {{ add_days("coalesce(turns.closed_on, date '9999-01-01')", 'rules.cool_down_days') }} as free_from
    from turns
    inner join rules
        on turns.rule = rules.rule
    where turns.signal
),

-- In the cool-down after an episode nothing opens: what is still bad when it ends opens then. One that also ends in it
-- never was, and brings no cool-down of its own.
cooled as (
    select
        rule,
        account_id,
        place,
        opens,
        closes,
        close_reason,
        free_from,
        true as is_episode
    from candidates
    where place = 1
    union all
    select
        candidates.rule,
        candidates.account_id,
        candidates.place,
        greatest(candidates.opens, cooled.free_from),
        candidates.closes,
        candidates.close_reason,
        case
            when candidates.closes <= cooled.free_from then cooled.free_from
            else candidates.free_from
        end,
        coalesce(candidates.closes > cooled.free_from, true)
    from cooled
    inner join candidates
        on
            cooled.rule = candidates.rule
            and cooled.account_id = candidates.account_id
            and cooled.place + 1 = candidates.place
),

episodes as (
    select
        cooled.rule,
        cooled.account_id,
        min(days.day) as opened_on,
        cooled.closes as closed_on,
        cooled.close_reason,
        min({{ ranked('days.day', 'days.value') }}).place as value_at_open,
        max(days.day) as last_day,
        min(
            case
                when days.value is null or days.day >= cooled.closes then null
                else {{ ranked('rules.sign * days.value', 'days.day') }}
            end
        ) as worst
    from cooled
    inner join rules
        on cooled.rule = rules.rule
    inner join days
        on cooled.rule = days.rule and cooled.account_id = days.account_id and cooled.opens <= days.day
    where cooled.is_episode
    group by cooled.rule, cooled.account_id, cooled.place, cooled.closes, cooled.close_reason
    having cooled.closes is null or min(days.day) < cooled.closes
),

newest as (
    select max(day) as day
    from {{ ref('fct_health_scores') }}
),

-- An account that is no longer scored has no breach: nobody can close it any more.
closed as (
    select
        episodes.rule,
        episodes.account_id,
        episodes.opened_on,
        episodes.last_day,
        episodes.value_at_open,
        episodes.worst,
        coalesce(
            episodes.closed_on,
            case when episodes.last_day < newest.day then {{ add_days('episodes.last_day', 1) }} end
        ) as closed_on,
        coalesce(
            episodes.close_reason,
            case when episodes.last_day < newest.day then 'not_scored' end
        ) as close_reason
    from episodes
    cross join newest
),

-- What opened because many accounts moved at once: on the day of the move, or later by the days that the rule waits.
moved as (
    select
        closed.rule,
        closed.account_id,
        closed.opened_on,
        min(moves.day) as mass_move_on
    from closed
    inner join rules
        on closed.rule = rules.rule and rules.kind in ('score_below', 'score_fell', 'band_is', 'band_fell')
    inner join {{ ref('fct_mass_moves') }} as moves
        on
            moves.direction = 'down'
            and moves.day <= closed.opened_on
            and moves.day > {{ add_days('closed.opened_on', '-rules.dwell_days') }}
    group by closed.rule, closed.account_id, closed.opened_on
),

final as (
    select
        md5(closed.rule || '|' || closed.account_id || '|' || cast(closed.opened_on as string)) as breach_id,
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
        rules.sign * closed.worst.sort_key as worst_value,
        closed.worst.place as peak_on,
        moved.mass_move_on
    from closed
    inner join rules
        on closed.rule = rules.rule
    left join moved
        on
            closed.rule = moved.rule
            and closed.account_id = moved.account_id
            and closed.opened_on = moved.opened_on
)

select * from final
