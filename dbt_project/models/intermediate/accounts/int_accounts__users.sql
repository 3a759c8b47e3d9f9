-- grain: user
select
    user_id,
    account_id,
    source
from {{ ref('stg_files__users') }}
