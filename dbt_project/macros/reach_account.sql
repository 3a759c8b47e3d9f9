{# The account of a row that may name it, or may name only a user or a subscription.
   `relation` needs account_id, user_id, subscription_id and account_ref; adds account_known: is it one of ours? #}
{% macro reach_account(relation) %}
select
    {{ all_but('account_id', of='received') }},
    coalesce(
        received.account_id,
        case received.account_ref when 'users' then users.account_id else subscriptions.account_id end
    ) as account_id
from {{ relation }} as received
left join {{ ref('int_accounts__users') }} as users
    on received.user_id = users.user_id and received.account_ref = 'users'
left join {{ ref('int_billing__subscription_accounts') }} as subscriptions
    on received.subscription_id = subscriptions.subscription_id and received.account_ref = 'subscriptions'
{% endmacro %}
