{# Versions of the accounts that a CRM's companies are. The first is known when the company was created, a later one when
   it was loaded. A company that is a customer no more, or deleted, has ended on the day on which that was found. #}
{% macro accounts_of(source_name, relation) %}
with rows_received as (
    select
        *,
        row_number() over (partition by id order by _seq) = 1 as is_first,
        max(case when is_account and not coalesce(is_deleted, false) then 1 else 0 end)
            over (partition by id order by _seq rows unbounded preceding) = 1 as was_account
    from {{ relation }}
),

renamed as (
    select
        '{{ source_name }}' as source,
        trim(account_id) as account_id,
        account_name as name,
        account_segment as segment,
        account_plan as plan,
        account_lifecycle_stage as lifecycle_stage,
        account_industry as industry,
        account_region as region,
        account_owner as owner,
        account_parent_account_id as parent_account_id,
        account_arr as arr,
        account_seats as seats,
        account_priority as priority,
        coalesce(account_created_on, cast(created_at as date)) as created_on,
        account_renewal_on as renewal_on,
        account_notice_days as notice_days,
        case
            when is_account and not coalesce(is_deleted, false) then account_ended_on
            else coalesce(account_ended_on, cast(_loaded_at as date))
        end as ended_on,
        account_domain as domain,
        case
            when is_first then least(created_at, coalesce(cast(account_created_on as timestamp), created_at))
            else _loaded_at
        end as known_at,
        _seq as line
    from rows_received
    where was_account and account_id is not null
),

deduplicated as (
    select
        *,
        cast(known_at as date) as known_day
    from renamed
    qualify row_number() over (partition by account_id, known_at order by line desc) = 1
)

select * from deduplicated
{% endmacro %}
