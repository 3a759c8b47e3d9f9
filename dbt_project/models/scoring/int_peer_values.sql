-- grain: account, day of the run, measure and peer group; where the account's value stands among its peers
-- Peers are all accounts of the day with the same value of the field, whose measure is known. Fewer than 30 say little.
{{ config(materialized='table') }}
with wanted as (
    select distinct
        measures.measure,
        scorecards.peer_group
    from {{ source('raw_config', 'scorecard_measures') }} as measures
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on measures.scorecard_hash = scorecards.scorecard_hash
    where measures.normalise in ('peer_percentile', 'peer_z_score')
),

members as (
    select
        account_days.account_id,
        account_days.day,
        wanted.measure,
        wanted.peer_group,
        {{ peers_of('wanted.peer_group', 'account_days') }} as peers_of,
        measures.value
    from wanted
    inner join {{ ref('int_measures') }} as measures
        on wanted.measure = measures.measure
    inner join {{ ref('int_accounts__days') }} as account_days
        on measures.account_id = account_days.account_id and measures.day = account_days.day
),

means as (
    select
        day,
        measure,
        peer_group,
        peers_of,
        count(*) as peers,
        {{ ordered_sum('value') }} / count(*) as mean_value
    from members
    group by day, measure, peer_group, peers_of
    having count(*) >= 30
),

centred as (
    select
        members.*,
        means.peers,
        members.value - means.mean_value as distance
    from members
    inner join means
        on
            members.day = means.day
            and members.measure = means.measure
            and members.peer_group = means.peer_group
            and members.peers_of = means.peers_of
),

spreads as (
    select
        day,
        measure,
        peer_group,
        peers_of,
        sqrt({{ ordered_sum('distance * distance') }} / count(*)) as spread
    from centred
    group by day, measure, peer_group, peers_of
),

ranked as (
    select
        *,
        rank() over (partition by day, measure, peer_group, peers_of order by value) - 1 as below,
        count(*) over (partition by day, measure, peer_group, peers_of, value) - 1 as level_with
    from centred
),

final as (
    select
        ranked.account_id,
        ranked.day,
        ranked.measure,
        ranked.peer_group,
        ranked.peers,
        -- Those level with it count half.
        100 * (ranked.below + cast(ranked.level_with as double) / 2) / (ranked.peers - 1) as percentile,
        case when spreads.spread = 0 then 0 else ranked.distance / spreads.spread end as z_score
    from ranked
    inner join spreads
        on
            ranked.day = spreads.day
            and ranked.measure = spreads.measure
            and ranked.peer_group = spreads.peer_group
            and ranked.peers_of = spreads.peers_of
)

select * from final
