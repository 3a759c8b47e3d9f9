-- grain: account and day on which its MRR became another, or its first subscription known; the whole history
-- What was known on a day holds for it: a subscription counts from the later of its start and the day it became known.
-- One that nobody has put an MRR to is counted apart: while it runs, the account's MRR is not known.
{{ config(materialized='table') }}
with versions as (
    select
        account_id,
        mrr,
        is_trial,
        greatest(started_on, known_from) as opens,
        least(coalesce(ended_on, date '9999-12-31'), coalesce(known_until, date '9999-12-31')) as closes
    from {{ ref('int_billing__subscription_versions') }}
    where greatest(started_on, known_from) <= {{ to_day() }}
),

points as (
    -- A trial, and a subscription known only after its end, bring nothing but the day: from there on 0 is known.
    select
        account_id,
        opens as day,
        case when opens < closes and not is_trial then coalesce(mrr, 0) else 0 end as mrr,
        case when opens < closes and not is_trial and mrr is null then 1 else 0 end as unknown,
        case when opens < closes and not is_trial then 1 else 0 end as subscriptions
    from versions
    union all
    select
        account_id,
        closes as day,
        -coalesce(mrr, 0) as mrr,
        case when mrr is null then -1 else 0 end as unknown,
        -1 as subscriptions
    from versions
    where opens < closes and not is_trial and closes <= {{ to_day() }}
),

final as (
    select
        account_id,
        day,
        cast(sum(mrr) as decimal(18, 4)) as mrr_added,
        cast(sum(unknown) as bigint) as unknown_added,
        cast(sum(subscriptions) as bigint) as subscriptions_added
    from points
    group by account_id, day
)

select * from final
