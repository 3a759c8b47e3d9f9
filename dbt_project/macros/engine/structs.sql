{# One measure of one account and day: its value, how many facts it rests on, the day of the newest of them. #}
{% macro measure(value, sample_size, observed_at) %}
    {{ return(adapter.dispatch('measure')(value, sample_size, observed_at)) }}
{% endmacro %}
{% macro default__measure(value, sample_size, observed_at) -%}
struct_pack(
        value := cast({{ value }} as double),
        sample_size := cast({{ sample_size }} as bigint),
        observed_at := cast({{ observed_at }} as date)
    )
{%- endmacro %}
{% macro spark__measure(value, sample_size, observed_at) -%}
named_struct(
        'value', cast({{ value }} as double),
        'sample_size', cast({{ sample_size }} as bigint),
        'observed_at', cast({{ observed_at }} as date)
    )
{%- endmacro %}

{# A pair whose minimum is the lowest `key`, the first `position` among equals. #}
{% macro ranked(key, position) %}{{ return(adapter.dispatch('ranked')(key, position)) }}{% endmacro %}
{% macro default__ranked(key, position) %}struct_pack(sort_key := {{ key }}, place := {{ position }}){% endmacro %}
{% macro spark__ranked(key, position) %}named_struct('sort_key', {{ key }}, 'place', {{ position }}){% endmacro %}
