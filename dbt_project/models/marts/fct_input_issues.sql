-- grain: source, entity, issue and title; what was wrong with the input: how many rows, and the first of them
{%- set with_account = [
    ('tickets', 'int_support__tickets'), ('survey_responses', 'int_survey__responses'), ('invoices', 'int_billing__invoices'),
    ('engagement_events', 'int_engagement__events'), ('outcomes', 'int_outcomes__outcomes'),
    ('pulses', 'int_judgement__pulses'), ('overrides', 'int_judgement__overrides'),
] %}
{%- set keys = [
    ('users', ['user_id']), ('subscriptions', ['subscription_id', 'known_at']), ('tickets', ['ticket_id']),
    ('survey_responses', ['response_id']), ('invoices', ['invoice_id']), ('engagement_events', ['engagement_id']),
    ('outcomes', ['outcome_id']), ('pulses', ['account_id', 'given_on']), ('overrides', ['override_id']),
] %}
{%- set unknown = ".account_id is none of the accounts: row kept, not scored" %}
{%- set superseded = " repeats: the newest row counts, this one does not" %}
{%- set hierarchy_issues = [
    ('orphan', 'is none of the accounts: account has no parent'),
    ('cycle', 'leads back to the account: account counts in the score of no parent'),
    ('too_deep', 'has too many accounts above it: account counts in the score of no parent'),
] %}
{%- set usage_issues = [
    ('repeats', 'repeated_id', 'event_id repeats: the first row counts, this one does not'), ('without_account', 'unknown_account', unknown[1:]),
    ('before_subscription', 'before_subscription', 'occurred_at is before its subscription began: row counted all the same'),
] %}
with rejected as (
    select
        source,
        entity,
        file,
        line,
        coalesce(entity || '.' || column_name, entity || ': line') as what,
        -- The reasons that carry particulars of their row; each would be a kind of its own.
        case
            when reason like '% repeats (first at %' then 'repeats'
            when reason like 'has % where the header has %' then 'has more or fewer values than the header'
            else reason
        end as reason
    from {{ source('raw_quarantine', 'rejected_rows') }}
),

accounts as (
    select * from {{ ref('int_accounts__versions') }}
    where known_until is null
),

subscriptions as (
    select * from {{ ref('int_billing__subscription_versions') }}
    where known_until is null
),

known as (
    select account_id from {{ ref('int_accounts__known') }}
),

churned as (
    select distinct account_id from {{ ref('int_outcomes__outcomes') }}
    where kind = 'churn'
),

found as (
    {%- for kind, issue, title in usage_issues %}
    select
        'files' as source,
        'usage_events' as entity,
        '{{ issue }}' as issue,
        'usage_events.{{ title }}' as title,
        {{ kind }} as rows,
        first_of_{{ kind }}.sort_key as file_id,
        first_of_{{ kind }}.place as line
    from {{ ref('int_usage__arrivals') }}
    where {{ kind }} > 0
    union all
    {%- endfor %}
    {%- for entity, model in with_account %}
    select source, '{{ entity }}', 'unknown_account', '{{ entity }}{{ unknown }}', 1, file_id, line
    from {{ ref(model) }}
    where not is_account_known
    union all
    {%- endfor %}
    {%- for entity, relation in [('users', ref('stg_files__users')), ('subscriptions', 'subscriptions')] %}
    select source, '{{ entity }}', 'unknown_account', '{{ entity }}{{ unknown }}', 1, file_id, line
    from {{ relation }}
    where account_id not in (select known.account_id from known)
    union all
    {%- endfor %}
    {%- for entity, key in keys %}
    (
        select 'files', '{{ entity }}', 'repeated_id', '{{ entity }}.{{ key[0] }}{{ superseded }}', 1, _file_id, _line
        from {{ source('raw_files', entity) }}
        qualify
            row_number() over (
                partition by {{ key | join(', ') }} order by known_at desc, _file_id desc, _line desc
            ) > 1
    )
    union all
    {%- endfor %}
    {%- for issue, title in hierarchy_issues %}
    select
        accounts.source, 'accounts', 'hierarchy_{{ issue }}',
        'accounts.parent_account_id {{ title }}', 1, accounts.file_id, accounts.line
    from accounts
    inner join {{ ref('int_accounts__hierarchy') }} as hierarchy
        on accounts.account_id = hierarchy.account_id and hierarchy.known_until is null
    where hierarchy.issue = '{{ issue }}'
    union all
    {%- endfor %}
    select
        source, 'tickets', 'no_rating',
        'tickets.csat_rating is empty: ticket left out of satisfaction', 1, file_id, line
    from {{ ref('int_support__tickets') }}
    where csat_rating is null
    union all
    select
        accounts.source, 'accounts', 'churn_contradicted',
        case
            when accounts.is_churned
                then 'accounts.is_churned is true, without a churn among the outcomes: never scored'
            else 'accounts.is_churned is false, with a churn among the outcomes: never scored'
        end,
        1, accounts.file_id, accounts.line
    from accounts
    left join churned
        on accounts.account_id = churned.account_id
    where accounts.is_churned <> (churned.account_id is not null)
    union all
    select
        source, 'subscriptions', 'churn_contradicted',
        'subscriptions.is_churned and ended_on contradict each other: ended_on counts', 1, file_id, line
    from subscriptions
    where is_churned <> (ended_on is not null)
    union all
    select
        source, 'subscriptions', 'never_ran',
        'subscriptions.ended_on is not after started_on: brings no revenue on any day', 1, file_id, line
    from subscriptions
    where ended_on <= started_on
),

united as (
    select
        source,
        entity,
        'rejected' as issue,
        what || ' ' || reason || ': row set aside' as title,
        1 as rows,
        file,
        line
    from rejected
    union all
    select found.source, found.entity, found.issue, found.title, found.rows, files.path, found.line
    from found
    left join {{ loaded_files() }} as files
        on found.file_id = files.file_id
),

counted as (
    select
        source,
        entity,
        issue,
        title,
        sum(rows) as rows,
        min(case when file is not null then {{ ranked('file', 'line') }} end) as first_row
    from united
    group by source, entity, issue, title
),

final as (
    select
        source,
        entity,
        issue,
        title,
        cast(rows as bigint) as rows,
        cast(first_row.sort_key || ' line ' || cast(first_row.place as string) as string) as example
    from counted
    union all
    select
        'files',
        'usage_events',
        'feed_outage',
        'usage_events fell silent: days on which it brought too few accounts to be alive, and usage is not known',
        count(*),
        max(
            cast(day as string) || ': ' || cast(accounts_seen as string) || ' accounts, usually up to '
            || cast(accounts_usual as string)
        )
    from {{ ref('int_usage__outages') }}
    having count(*) > 0
)

select * from final
