{# Tables and views made in place: the old one goes and the new one comes in one transaction, so that a model that fails
   leaves the old one as it was. Why our own: dbt-duckdb builds under another name, renames both and drops the old one,
   which is safe too but takes seven statements for two; on a small company they took longer than the SQL of the models.
   Indexes, grants and hooks are left out: no model has any. #}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {% call statement('main') -%}
        drop table if exists {{ target }};
        {{ create_table_as(false, target, sql) }};
        {{ descriptions(target) }}
    {%- endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {% call statement('main') -%}
        drop view if exists {{ target }};
        {{ get_create_view_as_sql(target, sql) }};
        {{ descriptions(target) }}
    {%- endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# A table whose days are replaced (replace_where.sql) straight from the model's SQL, which goes by the name of a temporary view.
   A model that reads its own table would see the rows gone: it says config(reads_itself=true), and its rows wait in a
   temporary table, as those of every model do in dbt-duckdb. #}
{% materialization incremental, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- do drop_what_is_no(target, existing) -%}
        {% call statement('main') -%}
            drop table if exists {{ target }};
            {{ create_table_as(false, target, sql) }};
            {{ descriptions(target) }}
        {%- endcall %}
    {%- else -%}
        {%- set arriving = make_temp_relation(target) -%}
        {%- if config.get('reads_itself') -%}
            {%- do run_query(create_table_as(true, arriving, sql)) -%}
        {%- else -%}
            {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
            {%- do run_query('create or replace temp view ' ~ arriving.include(database=false, schema=false) ~ ' as ' ~ sql) -%}
        {%- endif -%}
        {%- do adapter.expand_target_column_types(from_relation=arriving, to_relation=target) -%}
        {%- set changed = process_schema_changes(incremental_validate_on_schema_change(config.get('on_schema_change')), arriving, existing) -%}
        {% call statement('main') -%}
            {{ get_incremental_replace_where_sql({
                'target_relation': target, 'temp_relation': arriving,
                'dest_columns': changed or adapter.get_columns_in_relation(existing),
            }) }};
            {{ descriptions(target) }}
        {%- endcall %}
        {%- if not config.get('reads_itself') -%}
            {%- do run_query('drop view ' ~ arriving.include(database=false, schema=false)) -%}
        {%- endif -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# The descriptions of a model and its columns, as comments. In the statement that makes it: dbt asks twice for the columns
   there are, and takes two statements more. One that names a column which is not there stops the run. #}
{% macro descriptions(target) %}
    {%- if config.persist_relation_docs() and model.description %}
comment on {{ target.type }} {{ target }} is {{ duckdb_escape_comment(model.description) }};
    {%- endif -%}
    {%- if config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description %}
comment on column {{ target }}.{{ column.name }} is {{ duckdb_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{# A table that is to become a view, or the other way round. #}
{% macro drop_what_is_no(target, existing) %}
    {%- if existing is not none and existing.type != target.type -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
{% endmacro %}
