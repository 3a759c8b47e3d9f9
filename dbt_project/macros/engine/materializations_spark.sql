{# Spark: tables as Parquet. A contract holds by casts, since a table made from a query takes the query's types; a column that
   is missing is an error. A model that fails leaves no table, and the run publishes nothing. Comments, indexes, grants and
   hooks are left out. #}
{% materialization view, adapter='spark' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {% call statement('main') -%}create or replace view {{ target }} as {{ sql }}{%- endcall %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization table, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {%- do run_query('drop table if exists ' ~ target) -%}
    {% call statement('main') -%}create table {{ target }} using parquet as {{ as_contracted(sql) }}{%- endcall %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# A table whose days are replaced (replace_where.sql): a folder a day. Parquet has no DELETE, so the days that the run makes
   again are dropped whole and written anew; what else is in such a day, of another scorecard version, is written again
   with them. A model that reads its own table waits in a table of its own, too. #}
{% materialization incremental, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set replaces = config.require('replaces') -%}
    {%- set day = 'known_day' if replaces == 'fact_days' else 'day' -%}
    {%- set arriving = target.identifier ~ '__arriving' -%}
    {%- set columns = none -%}
    {%- if existing is not none and not existing.is_view and not should_full_refresh() -%}
        {%- do run_query('create or replace temporary view ' ~ arriving ~ ' as ' ~ as_contracted(sql)) -%}
        {%- set columns = columns_to_write(arriving, existing, replaces) -%}
    {%- endif -%}
    {%- if columns is none -%}
        {%- do drop_what_is_no(target, existing) -%}
        {%- do run_query('drop table if exists ' ~ target) -%}
        {% call statement('main') -%}
            create table {{ target }} using parquet partitioned by ({{ day }}) as
            select * from ({{ as_contracted(sql) }}) distribute by {{ day }}
        {%- endcall %}
    {%- else -%}
        {%- set waiting = target.incorporate(path={'identifier': target.identifier ~ '__waiting'}) -%}
        {%- set is_waiting = replaces in ['run_days', 'trend_days'] or config.get('reads_itself') -%}
        {%- set days = days_there(target, replaces) -%}
        {%- if is_waiting -%}
            {%- do run_query('drop table if exists ' ~ waiting) -%}
            {%- do run_query(
                'create table ' ~ waiting ~ ' using parquet as select ' ~ columns.arriving | join(', ') ~ ' from ' ~ arriving
                ~ ' union all select ' ~ columns.there | join(', ') ~ ' from ' ~ target
                ~ ' where cast(' ~ day ~ " as string) in ('" ~ (days or ['']) | join("', '") ~ "') and not (" ~ replaced_rows(replaces, target) ~ ')'
            ) -%}
        {%- endif -%}
        {%- if days -%}
            {%- do run_query('alter table ' ~ target ~ ' drop if exists partition (' ~ day ~ "='" ~ days | join("'), partition (" ~ day ~ "='") ~ "')") -%}
        {%- endif -%}
        {% call statement('main') -%}
            insert into {{ target }} ({{ columns.there | join(', ') }})
            select {{ (columns.there if is_waiting else columns.arriving) | join(', ') }}
            from {{ waiting if is_waiting else arriving }}
            distribute by {{ day }}
        {%- endcall %}
        {%- if is_waiting -%}{%- do run_query('drop table ' ~ waiting) -%}{%- endif -%}
        {%- do run_query('drop view ' ~ arriving) -%}
    {%- endif -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# The model's query in the columns and types of its contract; the query itself where it has none. #}
{% macro as_contracted(sql) -%}
    {%- if config.get('contract').enforced -%}
        select
        {%- for column in model.columns.values() %}
            cast({{ column.name }} as {{ 'string' if column.data_type == 'varchar' else column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
        from ({{ sql }})
    {%- else -%}
        {{ sql }}
    {%- endif -%}
{%- endmacro %}

{# The columns to insert, as they are named in the table (`there`) and in what arrives. New ones are added where the model allows
   it. Nothing where the table is to be made anew: windows follow from the facts, those of other columns are of no use. #}
{% macro columns_to_write(arriving, existing, replaces) %}
    {%- set there = adapter.get_columns_in_relation(existing) | map(attribute='name') | list -%}
    {%- set coming = {} -%}
    {%- for row in run_query('describe ' ~ arriving).rows -%}{%- do coming.update({row[0]: row[1]}) -%}{%- endfor -%}
    {%- set added = coming.keys() | reject('in', there) | list -%}
    {%- set gone = there | reject('in', coming.keys() | list) | list -%}
    {%- if (added or gone) and replaces == 'window_days' -%}{{ return(none) }}{%- endif -%}
    {%- if (added or gone) and config.get('on_schema_change') != 'append_new_columns' -%}
        {{ exceptions.raise_compiler_error(
            existing ~ ' has other columns than its model (new: ' ~ added | join(', ') ~ '; gone: ' ~ gone | join(', ')
            ~ '). Remove the folder `spark` of the home that pipeline.yml names: the next run builds everything again'
        ) }}
    {%- endif -%}
    {%- for name in added -%}
        {%- do run_query('alter table ' ~ existing ~ ' add columns (' ~ name ~ ' ' ~ coming[name] ~ ')') -%}
        {%- do there.append(name) -%}
    {%- endfor -%}
    {%- set named = [] -%}
    {%- for name in there -%}{%- do named.append(name if name in coming else 'null as ' ~ name) -%}{%- endfor -%}
    {{ return({'there': there, 'arriving': named}) }}
{% endmacro %}

{# The days that the table has of those the run makes again, as text. #}
{% macro days_there(target, replaces) %}
    {%- set found = run_query('show partitions ' ~ target).columns[0].values() -%}
    {%- if replaces == 'breach_days' -%}
        {%- set wanted = run_query(
            'select distinct cast(day as string) as day from ' ~ target ~ ' where ' ~ is_breach_day('day', target)
        ).columns[0].values() | list -%}
    {%- elif replaces == 'fact_days' -%}
        {%- set wanted = run_query('select cast(day as string) as day from raw_meta.fact_days').columns[0].values() | map('string') | list -%}
    {%- else -%}
        {%- set first = windows_from_day() if replaces == 'window_days' else from_day() -%}
        {%- set last = add_days(to_day(), {'span_days': change_spans() | max, 'trend_days': 90}.get(replaces, 0)) -%}
        {%- set wanted = run_query('select cast(day as string) as day from (' ~ days_table(first, last) ~ ')').columns[0].values() | map('string') | list -%}
    {%- endif -%}
    {%- set days = [] -%}
    {%- for name in found if name.split('=')[1] in wanted -%}{%- do days.append(name.split('=')[1]) -%}{%- endfor -%}
    {{ return(days) }}
{% endmacro %}
