-- grain: ticket
with reached as (
    {{ reach_account(received('tickets')) }}
)

select
    {{ all_but('account_ref', of='reached') }},
    known.account_id is not null as is_account_known
from reached
left join {{ ref('int_accounts__known') }} as known
    on reached.account_id = known.account_id
