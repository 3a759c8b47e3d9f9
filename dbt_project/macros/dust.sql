{# Points below this are what is left of rounding, not a change. #}
{% macro dust() %}1e-12{% endmacro %}
