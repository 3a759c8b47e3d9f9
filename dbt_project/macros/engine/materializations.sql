{# Tables and views made in place: the old one goes and the new one comes in one transaction, so that a model that fails
   leaves the old one as it was. Why our own: dbt-duckdb builds under another name, renames both and drops the old one,
   which is safe too but takes seven statements for two; on a small company they took longer than the SQL of the models.
   Indexes, grants and hooks are left out: no model has any. #}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {% call statement('main') -%}
        drop table if exists {{ target }};
        {{ create_table_as(false, target, sql) }}
    {%- endcall %}
    {%- do persist_docs(target, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- do drop_what_is_no(target, load_cached_relation(this)) -%}
    {% call statement('main') -%}
        drop view if exists {{ target }};
        {{ get_create_view_as_sql(target, sql) }}
    {%- endcall %}
    {%- do persist_docs(target, model) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# A table that is to become a view, or the other way round. #}
{% macro drop_what_is_no(target, existing) %}
    {%- if existing is not none and existing.type != target.type -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
{% endmacro %}
