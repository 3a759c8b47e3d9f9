-- grain: override
select
    {{ all_but('account_ref', of='received') }},
    known.account_id is not null as is_account_known
from {{ ref('stg_files__overrides') }} as received
left join {{ ref('int_accounts__known') }} as known
    on received.account_id = known.account_id
