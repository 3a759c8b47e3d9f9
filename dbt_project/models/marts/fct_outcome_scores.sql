-- grain: outcome and days before it; what the score said so long before the customer decided, or had stayed
-- For validation only: no score rests on it. A score of an earlier day knows nothing that became known after that day.
with decided as (
    select
        outcome_id,
        account_id,
        kind,
        kind in ('churn', 'downgrade') as is_loss,
        decided_on,
        amount
    from {{ ref('int_outcomes__outcomes') }}
    where is_account_known
),

-- A source that tells losses alone says nothing of who stayed: then an account that was scored at the end of a month,
-- and was not lost in it, has stayed.
tells_losses_alone as (
    select count(case when not is_loss then 1 end) = 0 as is_so
    from decided
    having count(*) > 0
),

month_ends as (
    select max(day) as day
    from {{ ref('fct_health_scores') }}
    group by extract(year from day), extract(month from day)
),

stayed as (
    select distinct
        scores.account_id,
        scores.day
    from {{ ref('fct_health_scores') }} as scores
    inner join month_ends
        on scores.day = month_ends.day
    cross join tells_losses_alone
    left join decided
        on
            scores.account_id = decided.account_id
            and extract(year from scores.day) = extract(year from decided.decided_on)
            and extract(month from scores.day) = extract(month from decided.decided_on)
    where scores.lens = 'overall' and tells_losses_alone.is_so and decided.account_id is null
),

united as (
    select
        outcome_id,
        account_id,
        kind,
        is_loss,
        decided_on,
        amount
    from decided
    union all
    select
        'stayed ' || account_id || ' ' || cast(day as string) as outcome_id,
        account_id,
        'stayed' as kind,
        false as is_loss,
        day as decided_on,
        null as amount
    from stayed
),

outcomes as (
    select
        *,
        -- Who has left before decides nothing any more.
        count(case when kind = 'churn' then 1 end) over (
            partition by account_id order by decided_on, outcome_id rows between unbounded preceding and 1 preceding
        ) > 0 as had_left
    from united
),

horizons as (
    {%- for days in [30, 60, 90, 120, 180] %}
    select {{ days }} as days_before{{ ' union all' if not loop.last }}
    {%- endfor %}
),

asked as (
    select
        outcomes.*,
        horizons.days_before,
        {{ add_days('outcomes.decided_on', '-horizons.days_before') }} as day
    from outcomes
    cross join horizons
),

scores as (
    select
        scores.*,
        scorecards.is_current
    from {{ ref('fct_health_scores') }} as scores
    inner join (select distinct account_id, day from asked) as asked
        on scores.account_id = asked.account_id and scores.day = asked.day
    inner join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    where scores.lens = 'overall' and scores.scorecard_status = 'active'
    qualify
        row_number() over (
            partition by scores.account_id, scores.day
            order by scorecards.is_current desc, scores.scorecard_hash
        ) = 1
),

final as (
    select
        asked.outcome_id,
        asked.account_id,
        asked.kind,
        asked.is_loss,
        asked.decided_on,
        asked.days_before,
        asked.day,
        coalesce(scores.segment, accounts.segment) as segment,
        asked.amount,
        scores.arr,
        case when not asked.had_left then scores.score end as score,
        case when not asked.had_left then scores.band end as band,
        scores.coverage,
        scores.scorecard_hash,
        case
            when asked.had_left then 'had_left'
            when accounts.created_on > asked.day then 'too_new'
            when scores.account_id is null then 'not_scored'
            when scores.status = 'in_grace' then 'too_new'
            when scores.score is null then 'insufficient_data'
        end as left_out
    from asked
    left join scores
        on asked.account_id = scores.account_id and asked.day = scores.day
    left join {{ ref('dim_accounts') }} as accounts
        on asked.account_id = accounts.account_id
)

select
    cast(outcome_id as string) as outcome_id,
    cast(account_id as string) as account_id,
    cast(kind as string) as kind,
    is_loss,
    decided_on,
    cast(days_before as bigint) as days_before,
    day,
    cast(segment as string) as segment,
    cast(amount as decimal(18, 4)) as amount,
    cast(arr as decimal(18, 4)) as arr,
    cast(score as double) as score,
    cast(band as string) as band,
    cast(coverage as double) as coverage,
    cast(scorecard_hash as string) as scorecard_hash,
    cast(left_out as string) as left_out
from final
