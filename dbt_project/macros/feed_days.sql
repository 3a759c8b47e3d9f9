{# From the days on which a feed brought something (`day`, `newest` fact), the newest fact known by each day of the run. #}
{% macro feed_days(arrived) %}
select
    days.day,
    max(newest.newest) over (order by days.day rows unbounded preceding) as feed_day
from ({{ days_table(from_day(), to_day()) }}) as days
left join {{ arrived }} as newest
    on days.day = newest.day
{% endmacro %}
