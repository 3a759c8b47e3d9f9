{# Change points of what counts for a span of days: each row of `spans` (account_id, opens, closes, ...) adds its `sums` on
   the day it opens and takes them away on the day it closes. A span open when the run begins opens on the run's first day.
   `sums` gives each column and the type of its sum; `latest` are days of which the newest so far is wanted.
   Gives account_id, day, {sum}_change, {latest}; as_of_day adds them up. #}
{% macro span_changes(spans, sums, latest=[]) %}
select
    account_id,
    day,
    {%- for column, type in sums.items() %}
    cast(sum({{ column }}) as {{ type }}) as {{ column }}_change{{ ',' if latest or not loop.last }}
    {%- endfor %}
    {%- for column in latest %}
    max({{ column }}) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from (
    select
        account_id,
        greatest(opens, {{ from_day() }}) as day
        {%- for column in sums.keys() | list + latest %}, {{ column }}{% endfor %}
    from {{ spans }}
    where closes > greatest(opens, {{ from_day() }}) and opens <= {{ to_day() }}
    union all
    select
        account_id,
        closes as day
        {%- for column in sums %}, -{{ column }}{% endfor %}
        {%- for column in latest %}, null{% endfor %}
    from {{ spans }}
    where closes > greatest(opens, {{ from_day() }}) and closes <= {{ to_day() }}
)
group by account_id, day
{% endmacro %}
