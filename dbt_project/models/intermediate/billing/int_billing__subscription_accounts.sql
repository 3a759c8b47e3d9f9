-- grain: subscription; the account it belongs to, by its newest version
select
    subscription_id,
    account_id,
    started_on
from {{ ref('int_billing__subscription_versions') }}
where known_until is null
