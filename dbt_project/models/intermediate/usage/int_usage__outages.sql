-- grain: day ever scored on which the usage feed had fallen silent; how many accounts it brought, and usually brings
-- Usual is the most that the same weekday has brought within 12 weeks: a Sunday is silent without an outage. What came
-- on a day counts by the day it became known, so a feed that delivers at night is alive; old facts loaded late do not.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
with arrived as (
    select
        greatest(event_day, known_day) as day,
        count(distinct account_id) as accounts
    from {{ ref('int_usage__daily') }}
    where
        greatest(event_day, known_day) between {{ add_days(from_day(), -84) }} and {{ to_day() }}
        and event_day >= {{ add_days('known_day', -7) }}
    group by greatest(event_day, known_day)
),

compared as (
    select
        days.day,
        coalesce(max(case when arrived.day = days.day then arrived.accounts end), 0) as accounts_seen,
        max(case when arrived.day < days.day then arrived.accounts end) as accounts_usual
    from ({{ days_table(from_day(), to_day()) }}) as days
    inner join arrived
        on
            {{ days_from('arrived.day', 'days.day') }} between 0 and 84
            and {{ days_from('arrived.day', 'days.day') }} % 7 = 0
    group by days.day
),

final as (
    select
        compared.day,
        cast(compared.accounts_seen as integer) as accounts_seen,
        cast(compared.accounts_usual as integer) as accounts_usual
    from compared
    cross join {{ source('raw_config', 'settings') }} as settings
    where
        -- The silence of a handful of accounts is theirs.
        compared.accounts_usual >= 10
        and compared.accounts_usual - compared.accounts_seen > settings.outage_share * compared.accounts_usual
)

select * from final
