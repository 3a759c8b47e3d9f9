-- grain: day and direction; how many accounts were scored on it and on the day before, and how many moved that far
-- Kept, as int_breach_days is, and made anew when it is.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='breach_days',
    on_schema_change='fail',
) }}
with scores as (
    select
        scores.account_id,
        scores.day,
        scores.score
    from {{ ref('fct_health_scores') }} as scores
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where
        scores.lens = 'overall'
        and scores.scorecard_status = 'active'
        and scores.score is not null
        and {{ is_breach_day('scores.day', this, compared=true) if is_incremental() else 'true' }}
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
    where {{ is_breach_day('today.day', this) if is_incremental() else 'true' }}
),

final as (
    select
        moves.day,
        directions.direction,
        cast(count(*) as bigint) as accounts_scored,
        cast(
            count(case when directions.sign * moves.points > settings.mass_move_points then 1 end) as bigint
        ) as accounts_moved,
        settings.alerts_hash
    from moves
    cross join {{ source('raw_config', 'settings') }} as settings
    cross join (
        select 'down' as direction, -1 as sign
        union all
        select 'up' as direction, 1 as sign
    ) as directions
    group by moves.day, directions.direction, settings.alerts_hash
)

select * from final
