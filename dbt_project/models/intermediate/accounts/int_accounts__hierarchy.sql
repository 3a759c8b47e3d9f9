-- grain: account that names a parent, level and known_from; level 0 is the account, level n the nth account above it
-- A row holds from known_from up to, not including, known_until. The way up ends where a circle begins. An account
-- within a circle, or with more above it than there are levels, has its row of level 0 only: it counts in no parent's
-- score. Joins, and no recursion: Spark has none.
{%- set levels = 10 %}
{%- set way_up = ['account_id'] %}
{%- for level in range(1, levels + 2) %}{% do way_up.append('parent_' ~ level) %}{% endfor %}
{{ config(materialized='table') }}
with named as (
    select
        account_id,
        parent_account_id,
        known_from,
        row_number() over so_far as version_no,
        lag(parent_account_id) over so_far as parent_before
    from {{ ref('int_accounts__versions') }}
    window so_far as (partition by account_id order by known_from)
),

spans as (
    select
        account_id,
        parent_account_id,
        known_from,
        coalesce(
            lead(known_from) over (partition by account_id order by known_from), date '9999-12-31'
        ) as known_until
    from named
    where version_no = 1 or coalesce(parent_account_id, '') <> coalesce(parent_before, '')
),

-- Before an account is known it is none of the accounts.
existing as (
    select
        account_id,
        parent_account_id,
        known_from,
        known_until,
        true as is_known
    from spans
    union all
    select
        account_id,
        null as parent_account_id,
        date '0001-01-01' as known_from,
        min(known_from) as known_until,
        false as is_known
    from spans
    group by account_id
),

walked_0 as (
    select
        account_id,
        known_from,
        known_until,
        parent_account_id as above_id
    from spans
    where parent_account_id is not null
),
{% for level in range(1, levels + 2) %}
walked_{{ level }} as (
    select
        {%- for name in way_up[:level] %}
        walked.{{ name }},
        {%- endfor %}
        case when upper.is_known then upper.account_id end as parent_{{ level }},
        case when upper.is_known then upper.parent_account_id end as above_id,
        greatest(walked.known_from, coalesce(upper.known_from, walked.known_from)) as known_from,
        least(walked.known_until, coalesce(upper.known_until, walked.known_until)) as known_until
    from walked_{{ level - 1 }} as walked
    left join existing as upper
        on
            walked.above_id = upper.account_id
            and walked.known_from < upper.known_until
            and upper.known_from < walked.known_until
),
{% endfor %}
circled as (
    select
        *,
        case
            {%- for level in range(levels + 1) %}
            when {{ way_up[level] }} in ({{ way_up[level + 1:] | join(', ') }}) then {{ level }}
            {%- endfor %}
        end as circle_begins_at
    from walked_{{ levels + 1 }}
),

judged as (
    select
        *,
        case
            when parent_1 is null then 'orphan'
            when circle_begins_at = 0 then 'cycle'
            when parent_{{ levels + 1 }} is not null and circle_begins_at is null then 'too_deep'
        end as issue
    from circled
),

by_level as (
    select
        judged.account_id,
        levels.level,
        case levels.level
            {%- for level in range(levels + 1) %}
            when {{ level }} then judged.{{ way_up[level] }}
            {%- endfor %}
        end as ancestor_account_id,
        judged.known_from,
        nullif(judged.known_until, date '9999-12-31') as known_until,
        judged.issue
    from judged
    cross join (
        values
        {%- for level in range(levels + 1) %}
        ({{ level }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as levels (level)
    where
        levels.level = 0
        or (judged.issue is null and levels.level < coalesce(judged.circle_begins_at, {{ levels + 1 }}))
),

final as (
    select *
    from by_level
    where ancestor_account_id is not null
)

select * from final
