-- Of each provider's customers, at most the share that `match.warn_share` in pipeline.yml allows is no account;
-- marts.fct_unmatched_records lists them.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_unmatched_records'}}}) }}
select
    customers.source,
    count(*) as customers,
    count(*) - count(customers.account_id) as unmatched
from {{ ref('int_identity__customers') }} as customers
inner join (select distinct source, warn_share from {{ source('raw_config', 'match_rules') }}) as rules
    on customers.source = rules.source
group by customers.source, rules.warn_share
having count(*) - count(customers.account_id) > rules.warn_share * count(*)
-- depends_on: {{ ref('fct_unmatched_records') }}
