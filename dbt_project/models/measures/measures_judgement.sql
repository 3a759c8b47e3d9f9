-- grain: account and day of the run
with joined as (
    select
        account_days.account_id,
        account_days.day,
        pulses.pulse,
        pulses.given_on
    from {{ ref('int_accounts__days') }} as account_days
    left join {{ ref('int_judgement__pulse_spans') }} as pulses
        on
            account_days.account_id = pulses.account_id
            and account_days.day >= pulses.opens
            and account_days.day < pulses.closes
),

final as (
    select
        account_id,
        day,
        {{ measure('pulse', 'case when pulse is not null then 1 end', 'given_on') }} as csm_pulse
    from joined
)

select * from final
