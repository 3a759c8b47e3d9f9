{# The days over which changes of a score are split: a day, a week, a month. #}
{% macro change_spans() %}{{ return([1, 7, 30]) }}{% endmacro %}
