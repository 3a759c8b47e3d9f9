-- grain: account and day ever scored, while they are a customer; what was known of them at the end of the day
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='fail',
) }}
select
    versions.account_id,
    days.day,
    versions.account_name,
    versions.segment,
    versions.plan,
    versions.lifecycle_stage,
    versions.industry,
    versions.region,
    versions.owner,
    versions.parent_account_id,
    versions.seats,
    versions.has_unlimited_seats,
    versions.priority,
    versions.created_on,
    versions.renewal_on,
    coalesce(versions.arr, 12 * mrr.mrr) as arr,
    {{ days_from('versions.created_on', 'days.day') }} as account_age_days
from {{ ref('int_accounts__versions') }} as versions
inner join ({{ days_table(from_day(), to_day()) }}) as days
    on
        days.day >= versions.known_from
        and (versions.known_until is null or days.day < versions.known_until)
        and days.day >= versions.created_on
        and (versions.ended_on is null or days.day < versions.ended_on)
left join {{ ref('int_billing__mrr') }} as mrr
    on versions.account_id = mrr.account_id and days.day = mrr.day
