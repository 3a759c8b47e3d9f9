-- grain: account
select
    account_id,
    min(known_from) as known_from
from {{ ref('int_accounts__versions') }}
group by account_id
