-- grain: day and direction; days on which more accounts moved the same way than config takes for their own doing
with limits as (
    select
        mass_move_share,
        mass_move_points
    from {{ source('raw_config', 'settings') }}
),

scores as (
    select
        scores.account_id,
        scores.day,
        scores.score
    from {{ ref('fct_health_scores') }} as scores
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where scores.lens = 'overall' and scores.scorecard_status = 'active' and scores.score is not null
    qualify
        row_number() over (
            partition by scores.account_id, scores.day
            order by scorecards.is_current desc, scores.scorecard_hash
        ) = 1
),

moves as (
    select
        today.day,
        today.score - yesterday.score as points
    from scores as today
    inner join scores as yesterday
        on today.account_id = yesterday.account_id and {{ add_days('today.day', -1) }} = yesterday.day
),

counted as (
    select
        moves.day,
        directions.direction,
        cast(count(*) as bigint) as accounts_scored,
        cast(
            count(case when directions.sign * moves.points > limits.mass_move_points then 1 end) as bigint
        ) as accounts_moved
    from moves
    cross join limits
    cross join (
        select 'down' as direction, -1 as sign
        union all
        select 'up' as direction, 1 as sign
    ) as directions
    group by moves.day, directions.direction
),

final as (
    select
        counted.day,
        counted.direction,
        counted.accounts_scored,
        counted.accounts_moved,
        cast(counted.accounts_moved as double) / counted.accounts_scored as share
    from counted
    cross join limits
    where counted.accounts_moved > limits.mass_move_share * counted.accounts_scored
)

select * from final
