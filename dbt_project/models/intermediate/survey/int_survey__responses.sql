-- grain: response
with reached as (
    {{ reach_account(ref('stg_files__survey_responses')) }}
)

select
    reached.* exclude (account_ref),
    known.account_id is not null as is_account_known
from reached
left join {{ ref('int_accounts__known') }} as known
    on reached.account_id = known.account_id
