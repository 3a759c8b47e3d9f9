{# Change points of "present in the last `length` days", for rolling counts of distinct things.

   A fact of `event_day`, known on `known_day`, counts on the days from the later of (event_day + delay, known_day)
   up to, not including, event_day + delay + length. The spans of one thing (a user, a feature) are united; where a
   united span opens the account's count rises by `amount`, where it closes it falls. A running sum of the changes is the
   exact count of distinct things, whatever order the facts came in.

   relation: columns account_id, {thing}, event_day, known_day. Gives account_id, day, {name}. #}
{% macro presence_changes(relation, thing, name, length, amount='1', delay=0) %}
select
    account_id,
    day,
    {{ name }}
from (
    with spans as (
        select
            account_id,
            {{ thing }},
            greatest({{ add_days('event_day', delay) }}, known_day, {{ windows_from_day() }}) as opens,
            {{ add_days('event_day', delay + length) }} as closes
        from {{ relation }}
        where {{ add_days('event_day', delay + length) }} > greatest(known_day, {{ windows_from_day() }})
    ),

    chained as (
        select
            *,
            max(closes) over (
                partition by account_id, {{ thing }} order by opens, closes
                rows between unbounded preceding and 1 preceding
            ) as closed_before,
            row_number() over (partition by account_id, {{ thing }} order by opens desc, closes desc) as from_last,
            max(closes) over (partition by account_id, {{ thing }}) as closes_last
        from spans
    )

    select account_id, opens as day, {{ amount }} as {{ name }}
    from chained
    where closed_before is null or opens > closed_before
    union all
    select account_id, closed_before as day, -({{ amount }}) as {{ name }}
    from chained
    where opens > closed_before
    union all
    select account_id, closes_last as day, -({{ amount }}) as {{ name }}
    from chained
    where from_last = 1
)
{% endmacro %}
