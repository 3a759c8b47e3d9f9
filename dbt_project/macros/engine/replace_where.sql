{# Incremental strategy `replace_where`: delete the rows of the days that the run makes again, then append.
   Why our own: a day that now has no rows must lose the old ones, which delete+insert by key keeps; and the days are read
   when the model runs, while a predicate in config() would be fixed when it is parsed.
   The model names its days: config(replaces='run_days' | 'scored_days' | 'span_days' | 'window_days' | 'fact_days' | 'trend_days' |
   'breach_days'). #}
{% macro get_incremental_replace_where_sql(arg_dict) %}
    {{ return(adapter.dispatch('replace_where_sql')(arg_dict)) }}
{% endmacro %}

{% macro default__replace_where_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict.dest_columns | map(attribute='name')) -%}
    delete from {{ arg_dict.target_relation }}
    where {{ replaced_rows(config.require('replaces'), arg_dict.target_relation) }};

    insert into {{ arg_dict.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict.temp_relation }}
{% endmacro %}

{% macro replaced_rows(days, relation) -%}
    {%- if days == 'fact_days' -%}
        {{ is_fact_day('known_day') }}
    {%- elif days == 'window_days' -%}
        day between {{ windows_from_day() }} and {{ to_day() }}
    {%- elif days == 'run_days' -%}
        day between {{ from_day() }} and {{ to_day() }} and {{ is_current_version() }}
    {%- elif days == 'scored_days' -%}
        day between {{ from_day() }} and {{ to_day() }}
    {%- elif days == 'span_days' -%}
        day between {{ from_day() }} and {{ add_days(to_day(), change_spans() | max) }}
    {%- elif days == 'trend_days' -%}
        (day between {{ from_day() }} and {{ to_day() }} and {{ is_current_version() }})
        or (day > {{ to_day() }} and day <= {{ add_days(to_day(), 90) }})
    {%- elif days == 'breach_days' -%}
        {{ is_breach_day('day', relation) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("replaces: '" ~ days ~ "' is not one of run_days, scored_days, span_days, window_days, fact_days, trend_days, breach_days") }}
    {%- endif -%}
{%- endmacro %}

{# Rows that an older scorecard version made stay as they are. #}
{% macro is_current_version() -%}
    scorecard_hash in (select scorecard_hash from raw_config.scorecards where is_current)
{%- endmacro %}
