-- grain: account and day of the run on which a payment became known (the run's first day holds what stood before)
{{ config(materialized='table') }}
with paid as (
    select
        account_id,
        amount,
        greatest(coalesce(paid_on, due_on), known_day, {{ from_day() }}) as day
    from {{ ref('int_billing__invoices') }}
    where
        is_account_known
        and coalesce(status, '') not in ('void', 'draft', 'cancelled')
        and (paid_on is not null or status = 'paid')
),

final as (
    select
        account_id,
        day,
        cast(sum(coalesce(amount, 0)) as decimal(18, 4)) as amount_paid,
        count(*) as invoices_paid,
        count(*) - count(amount) as invoices_without_amount
    from paid
    where day <= {{ to_day() }}
    group by account_id, day
)

select * from final
