-- grain: pulse that counts on some day; from the day it counts up to, not including, the day it no longer does
with counted_from as (
    select
        account_id,
        pulse,
        given_on,
        expires_on,
        greatest(given_on, known_day) as opens
    from {{ ref('int_judgement__pulses') }}
    where is_account_known
),

-- A pulse is replaced by whichever younger one is known first; its successor's expiry does not bring it back.
replaced as (
    select
        account_id,
        pulse,
        given_on,
        opens,
        coalesce(expires_on, date '9999-12-31') as expires_on,
        coalesce(
            min(opens) over (
                partition by account_id order by given_on rows between 1 following and unbounded following
            ),
            date '9999-12-31'
        ) as replaced_on
    from counted_from
),

final as (
    select
        account_id,
        pulse,
        given_on,
        opens,
        least(expires_on, replaced_on) as closes
    from replaced
    where opens < expires_on and opens < replaced_on
)

select * from final
