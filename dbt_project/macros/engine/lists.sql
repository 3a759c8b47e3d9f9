{# Over a few columns of one row: the median of those that are not NULL, and how many those are. #}
{% macro median_of(columns) %}{{ return(adapter.dispatch('median_of')(columns)) }}{% endmacro %}
{% macro default__median_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'median'){% endmacro %}

{% macro count_of(columns) %}{{ return(adapter.dispatch('count_of')(columns)) }}{% endmacro %}
{% macro default__count_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'count'){% endmacro %}
