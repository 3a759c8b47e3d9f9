{# For each account and day of the run, the running sum of `sums` and the greatest so far of `latest`,
   over the rows of `changes` (account_id, day, ...) up to the end of that day. #}
{% macro as_of_day(changes, sums, latest=[]) %}
select
    account_id,
    day
    {%- for column in sums + latest %},
    {{ column }}
    {%- endfor %}
from (
    select
        account_id,
        day,
        is_account_day
        {%- for column in sums %},
        coalesce(sum({{ column }}) over so_far, 0) as {{ column }}
        {%- endfor %}
        {%- for column in latest %},
        max({{ column }}) over so_far as {{ column }}
        {%- endfor %}
    from (
        select account_id, day, true as is_account_day
            {%- for column in sums + latest %}, null as {{ column }}{% endfor %}
        from {{ ref('int_accounts__days') }}
        union all
        select account_id, day, false
            {%- for column in sums + latest %}, {{ column }}{% endfor %}
        from {{ changes }}
    )
    window so_far as (partition by account_id order by day range between unbounded preceding and current row)
)
where is_account_day
{% endmacro %}
