-- grain: account, as last known
with scored as (
    select
        account_id,
        min(day) as first_scored_on,
        max(day) as last_scored_on
    from {{ ref('fct_health_scores') }}
    group by account_id
),

mrr as (
    select
        account_id,
        arg_max(mrr, day) as mrr
    from {{ ref('int_billing__mrr') }}
    group by account_id
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
        cast(coalesce(versions.arr, 12 * mrr.mrr) as decimal(18, 4)) as arr,
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
    left join mrr
        on versions.account_id = mrr.account_id
    qualify row_number() over (partition by versions.account_id order by versions.known_from desc) = 1
)

select * from final
