-- grain: account, day of the run, lens and status; the first scorecard in written order that fits the account
with account_days as (
    select * from {{ ref('int_accounts__days') }}
),

scorecards as (
    select * from {{ source('raw_config', 'scorecards') }}
    where is_current
),

conditions as (
    select
        *,
        max(condition_no) over (partition by scorecard_hash) as condition_count
    from (
        select
            {{ all_but('condition_no') }},
            dense_rank() over (partition by scorecard_hash order by condition_no) as condition_no
        from {{ source('raw_config', 'scorecard_conditions') }}
    )
),

met as (
    select
        account_days.account_id,
        account_days.day,
        conditions.scorecard_hash
    from account_days
    inner join conditions
        on {{ condition_met('account_days', 'conditions') }}
    group by account_days.account_id, account_days.day, conditions.scorecard_hash
    having count(distinct conditions.condition_no) = max(conditions.condition_count)
),

candidates as (
    select
        account_days.account_id,
        account_days.day,
        account_days.segment,
        account_days.arr,
        account_days.account_age_days,
        scorecards.scorecard_hash,
        scorecards.scorecard_id,
        scorecards.version as scorecard_version,
        scorecards.lens,
        scorecards.status as scorecard_status,
        scorecards.coverage_floor,
        scorecards.roll_up,
        scorecards.grace_days,
        {{ peers_of('scorecards.peer_group', 'account_days') }} as peers_of,
        scorecards.is_default,
        scorecards.position
    from account_days
    inner join scorecards
        on
            (scorecards.effective_from is null or account_days.day >= scorecards.effective_from)
            and (scorecards.effective_to is null or account_days.day < scorecards.effective_to)
    left join met
        on
            account_days.account_id = met.account_id
            and account_days.day = met.day
            and scorecards.scorecard_hash = met.scorecard_hash
    where scorecards.is_default or met.scorecard_hash is not null
),

final as (
    select {{ all_but(['is_default', 'position']) }}
    from candidates
    qualify
        row_number() over (
            partition by account_id, day, lens, scorecard_status
            order by is_default, position, scorecard_hash
        ) = 1
)

select * from final
