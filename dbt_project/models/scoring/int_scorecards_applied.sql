-- grain: account, day of the run and scorecard version; those that match, and as bridges those that judged it before
-- A day whose version differs from that of an earlier day is scored under that one, too: so the part of a change that
-- is the version's is known exactly (fct_score_changes). A bridge is no score: it appears in no other mart.
with matched as (
    select
        *,
        false as is_bridge
    from {{ ref('int_scorecards_matched') }}
),

earlier as (
    {% for days in change_spans() %}
    select
        matched.account_id,
        matched.day,
        in_force.scorecard_hash
    from matched
    inner join {{ ref('int_scorecards_in_force') }} as in_force
        on
            matched.account_id = in_force.account_id
            and matched.lens = in_force.lens
            and {{ add_days('matched.day', -days) }} = in_force.day
            and matched.scorecard_hash <> in_force.scorecard_hash
    where matched.scorecard_status = 'active'
    {% if not loop.last %}union{% endif %}
    {% endfor %}
),

bridges as (
    select
        earlier.account_id,
        earlier.day,
        account_days.segment,
        account_days.arr,
        account_days.account_age_days,
        scorecards.scorecard_hash,
        scorecards.scorecard_id,
        scorecards.version as scorecard_version,
        scorecards.lens,
        'active' as scorecard_status,
        scorecards.coverage_floor,
        scorecards.roll_up,
        scorecards.grace_days,
        {{ peers_of('scorecards.peer_group', 'account_days') }} as peers_of,
        true as is_bridge
    from earlier
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on earlier.scorecard_hash = scorecards.scorecard_hash
    inner join {{ ref('int_accounts__days') }} as account_days
        on earlier.account_id = account_days.account_id and earlier.day = account_days.day
    left join matched as applied_anyway
        on
            earlier.account_id = applied_anyway.account_id
            and earlier.day = applied_anyway.day
            and earlier.scorecard_hash = applied_anyway.scorecard_hash
    where applied_anyway.account_id is null
)

select * from matched
union all
select * from bridges
