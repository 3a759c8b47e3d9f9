-- grain: account, as last known
with scored as (
    select
        account_id,
        min(day) as first_scored_on,
        max(day) as last_scored_on
    from {{ ref('fct_health_scores') }}
    group by account_id
),

-- A day may have been scored under versions no longer in force, with the ARR as it was known then.
last_scores as (
    select
        scores.account_id,
        scores.arr
    from scored
    inner join {{ ref('fct_health_scores') }} as scores
        on scored.account_id = scores.account_id and scored.last_scored_on = scores.day
    left join {{ source('raw_config', 'scorecards') }} as scorecards
        on scores.scorecard_hash = scorecards.scorecard_hash
    qualify
        row_number() over (
            partition by scores.account_id
            order by coalesce(scorecards.is_current, false) desc, scores.scorecard_hash
        ) = 1
),

final as (
    select
        versions.account_id,
        versions.account_name,
        versions.segment,
        versions.plan,
        versions.lifecycle_stage,
        versions.industry,
        versions.region,
        versions.owner,
        versions.parent_account_id,
        coalesce(versions.arr, last_scores.arr) as arr,
        versions.seats,
        versions.priority,
        versions.created_on,
        versions.renewal_on,
        versions.ended_on,
        scored.first_scored_on,
        scored.last_scored_on
    from {{ ref('int_accounts__versions') }} as versions
    left join scored
        on versions.account_id = scored.account_id
    left join last_scores
        on versions.account_id = last_scores.account_id
    qualify row_number() over (partition by versions.account_id order by versions.known_from desc) = 1
)

select * from final
