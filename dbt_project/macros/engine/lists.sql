{# The sum of doubles over a group, added from the smallest to the largest: the same whatever order the rows come in. #}
{% macro ordered_sum(number) %}{{ return(adapter.dispatch('ordered_sum')(number)) }}{% endmacro %}
{% macro default__ordered_sum(number) %}list_sum(list({{ number }} order by {{ number }})){% endmacro %}
{% macro spark__ordered_sum(number) %}aggregate(array_sort(collect_list({{ number }})), cast(0 as double), (so_far, one) -> so_far + one){% endmacro %}

{# Over a few columns of one row: the median of those that are not NULL, and how many those are. #}
{% macro median_of(columns) %}{{ return(adapter.dispatch('median_of')(columns)) }}{% endmacro %}
{% macro default__median_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'median'){% endmacro %}

{% macro count_of(columns) %}{{ return(adapter.dispatch('count_of')(columns)) }}{% endmacro %}
{% macro default__count_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'count'){% endmacro %}
