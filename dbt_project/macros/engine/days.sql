{# A day plus n days, as a date. Engines return a timestamp from their own date arithmetic. #}
{% macro add_days(day, n) %}{{ return(adapter.dispatch('add_days')(day, n)) }}{% endmacro %}
{% macro default__add_days(day, n) %}(({{ day }}) + ({{ n }})){% endmacro %}
{% macro spark__add_days(day, n) %}date_add({{ day }}, {{ n }}){% endmacro %}

{# Whole days from `earlier` to `later`. #}
{% macro days_from(earlier, later) %}{{ return(adapter.dispatch('days_from')(earlier, later)) }}{% endmacro %}
{% macro default__days_from(earlier, later) %}(({{ later }}) - ({{ earlier }})){% endmacro %}
{% macro spark__days_from(earlier, later) %}datediff({{ later }}, {{ earlier }}){% endmacro %}

{# A table of one date column `day`, from the first to the last day, both included. #}
{% macro days_table(first, last) %}{{ return(adapter.dispatch('days_table')(first, last)) }}{% endmacro %}
{% macro default__days_table(first, last) %}
select cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date) as day
{% endmacro %}
{% macro spark__days_table(first, last) %}
{#- A sequence that ends before it begins is an error here, and no rows elsewhere. -#}
select day
from (select explode(sequence({{ first }}, greatest({{ first }}, {{ last }}), interval 1 day)) as day)
where day <= {{ last }}
{% endmacro %}

{# Whole seconds from `earlier` to `later`; a time plus n seconds. #}
{% macro seconds_from(earlier, later) %}{{ return(adapter.dispatch('seconds_from')(earlier, later)) }}{% endmacro %}
{% macro default__seconds_from(earlier, later) %}date_diff('second', {{ earlier }}, {{ later }}){% endmacro %}
{% macro spark__seconds_from(earlier, later) %}timestampdiff(second, {{ earlier }}, {{ later }}){% endmacro %}

{% macro add_seconds(moment, n) %}{{ return(adapter.dispatch('add_seconds')(moment, n)) }}{% endmacro %}
{% macro default__add_seconds(moment, n) %}({{ moment }} + to_seconds({{ n }})){% endmacro %}
{% macro spark__add_seconds(moment, n) %}timestampadd(second, {{ n }}, {{ moment }}){% endmacro %}

{# A window frame: from so many days before to so many days before, of rows ordered by a day. #}
{% macro days_before(first, last) %}{{ return(adapter.dispatch('days_before')(first, last)) }}{% endmacro %}
{% macro default__days_before(first, last) %}range between interval {{ first }} days preceding and interval {{ last }} days preceding{% endmacro %}
{% macro spark__days_before(first, last) %}range between {{ first }} preceding and {{ last }} preceding{% endmacro %}

{# The last day of a day's month. #}
{% macro month_end(day) %}{{ return(adapter.dispatch('month_end')(day)) }}{% endmacro %}
{% macro default__month_end(day) %}last_day({{ day }}){% endmacro %}
