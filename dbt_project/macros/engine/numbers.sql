{# False for NULL, NaN and both infinities. #}
{% macro is_finite(number) %}{{ return(adapter.dispatch('is_finite')(number)) }}{% endmacro %}
{% macro default__is_finite(number) %}isfinite({{ number }}){% endmacro %}
{% macro spark__is_finite(number) %}({{ number }} between -1.7976931348623157E308D and 1.7976931348623157E308D){% endmacro %}
