-- grain: account and day of the run on which an invoice was past due; the day the oldest of them was due
{{ config(materialized='table') }}
with invoices as (
    select * from {{ ref('int_billing__invoices') }}
    where is_account_known and coalesce(status, '') not in ('void', 'draft', 'cancelled') and coalesce(amount, 1) > 0
),

unpaid as (
    select
        account_id,
        due_on,
        greatest({{ add_days('due_on', 1) }}, known_day, {{ from_day() }}) as opens,
        coalesce(paid_on, case when status = 'paid' then due_on else date '9999-12-31' end) as closes
    from invoices
),

final as (
    select
        unpaid.account_id,
        days.day,
        min(unpaid.due_on) as oldest_due_on,
        count(*) as invoices_past_due
    from unpaid
    inner join ({{ days_table(from_day(), to_day()) }}) as days
        on days.day >= unpaid.opens and days.day < unpaid.closes
    where unpaid.closes > unpaid.opens
    group by unpaid.account_id, days.day
)

select * from final
