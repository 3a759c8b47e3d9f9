-- grain: source and customer; the account that a provider's customer is
-- One that the provider has deleted still says whose its old records are, but nothing leads there any more.
with final as (
    select
        source,
        customer_id,
        account_id,
        matched_by
    from {{ ref('int_identity__customers') }}
    where account_id is not null and not is_deleted
)

select
    cast(source as string) as source,
    cast(customer_id as string) as customer_id,
    cast(account_id as string) as account_id,
    cast(matched_by as string) as matched_by
from final
