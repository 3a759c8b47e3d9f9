-- grain: source and customer; the account that a provider's customer is, or why none was found
-- The rules come from config, in order: the first that points to any account decides, and two accounts are none.
{%- for provider in providers_of('customers') if not execute %}
{%- do ref('stg_' ~ provider ~ '__customers') %}
{%- endfor %}
with customers as (
    select
        cast(null as string) as source,
        cast(null as string) as customer_id,
        cast(null as string) as external_id,
        cast(null as string) as domain,
        cast(null as string) as email_domain,
        cast(null as boolean) as is_deleted
    where false
    {%- for provider in enabled_of('customers') %}
    {{ union_by_name() }}
    select * from {{ ref('stg_' ~ provider ~ '__customers') }}
    {%- endfor %}
),

rules as (
    select * from {{ source('raw_config', 'match_rules') }}
),

known as (
    select
        account_id,
        domain
    from {{ ref('int_accounts__versions') }}
    where known_until is null
),

candidates as (
    select
        customers.source,
        customers.customer_id,
        rules.rule,
        rules.position,
        known.account_id
    from customers
    inner join rules
        on customers.source = rules.source
    left join {{ source('raw_config', 'customer_map') }} as mapped
        on customers.source = mapped.source and customers.customer_id = mapped.customer_id and rules.rule = 'mapping'
    inner join known
        on
            case rules.rule
                when 'mapping' then mapped.account_id = known.account_id
                when 'external_id' then customers.external_id = known.account_id
                when 'domain' then customers.domain = known.domain
                when 'email_domain' then customers.email_domain = known.domain
            end
),

decided as (
    select
        source,
        customer_id,
        rule,
        min(account_id) as account_id,
        count(distinct account_id) as accounts
    from candidates
    group by source, customer_id, rule, position
    qualify row_number() over (partition by source, customer_id order by position) = 1
),

final as (
    select
        customers.source,
        customers.customer_id,
        case when decided.accounts = 1 then decided.account_id end as account_id,
        decided.rule as matched_by,
        case
            when decided.accounts is null then 'no rule points to an account'
            when decided.accounts > 1 then 'the rule ' || decided.rule || ' points to several accounts'
        end as reason,
        coalesce(customers.is_deleted, false) as is_deleted
    from customers
    left join decided
        on customers.source = decided.source and customers.customer_id = decided.customer_id
)

select * from final
