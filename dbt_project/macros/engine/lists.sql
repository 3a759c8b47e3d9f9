{# The sum of doubles over a group, added from the smallest to the largest: the same whatever order the rows come in. #}
{% macro ordered_sum(number) %}{{ return(adapter.dispatch('ordered_sum')(number)) }}{% endmacro %}
{% macro default__ordered_sum(number) %}list_sum(list({{ number }} order by {{ number }})){% endmacro %}
{% macro spark__ordered_sum(number) %}aggregate(array_sort(collect_list({{ number }})), cast(0 as double), (so_far, one) -> so_far + one){% endmacro %}

{# Over a few columns of one row: the median of those that are not NULL, and how many those are. #}
{% macro median_of(columns) %}{{ return(adapter.dispatch('median_of')(columns)) }}{% endmacro %}
{% macro default__median_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'median'){% endmacro %}
{% macro spark__median_of(columns) -%}
    {%- set sorted = 'array_sort(array_compact(array(' ~ columns | join(', ') ~ ')))' -%}
    ((get({{ sorted }}, (size({{ sorted }}) - 1) div 2) + get({{ sorted }}, size({{ sorted }}) div 2)) / 2)
{%- endmacro %}

{% macro count_of(columns) %}{{ return(adapter.dispatch('count_of')(columns)) }}{% endmacro %}
{% macro default__count_of(columns) %}list_aggregate([{{ columns | join(', ') }}], 'count'){% endmacro %}
{% macro spark__count_of(columns) %}size(array_compact(array({{ columns | join(', ') }}))){% endmacro %}

{# The texts of a group in an order, with '; ' between; those that are NULL are left out. A `filter (where ...)` may follow. #}
{% macro text_list(text, order_by) %}{{ return(adapter.dispatch('text_list')(text, order_by)) }}{% endmacro %}
{% macro default__text_list(text, order_by) %}string_agg({{ text }}, '; ' order by {{ order_by }}){% endmacro %}
{% macro spark__text_list(text, order_by) %}listagg({{ text }}, '; ') within group (order by {{ order_by }}){% endmacro %}
