{# The days of which int_breach_days is made anew: those of the run, and those after it that a rule of a fall compares with
   them. With `compared`, also those before that they are compared with. All days where the rules, or the scorecards in
   force, are not those that judged the days kept: settings.alerts_hash names both. #}
{% macro is_breach_day(day, relation, compared=false) -%}
    {%- if execute and are_rules_as_before(relation) -%}
        {{ day }} between {{ add_days(from_day(), -alerts_reach()) if compared else from_day() }}
        and {{ add_days(to_day(), alerts_reach()) }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro are_rules_as_before(relation) %}
    {%- set found = run_query(
        'select count(*) from ' ~ relation ~ ' where alerts_hash <> (select alerts_hash from raw_config.settings)'
    ) -%}
    {{ return(found.rows[0][0] == 0) }}
{% endmacro %}

{# How many days apart the two days are that a rule of a fall compares, at most; one for the moves of a day. #}
{% macro alerts_reach() %}
    {%- set found = run_query("select coalesce(max(days), 1) from raw_config.alert_rules where kind in ('score_fell', 'band_fell')") -%}
    {{ return(found.rows[0][0]) }}
{% endmacro %}
