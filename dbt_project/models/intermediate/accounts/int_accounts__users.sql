-- grain: user
select
    user_id,
    account_id,
    known_day,
    source
from {{ received('users') }}
