{# Number of bits set; 2 to the power of a bit's position; whether a bit is set; the bits of both. #}
{% macro bits_set(mask) %}{{ return(adapter.dispatch('bits_set')(mask)) }}{% endmacro %}
{% macro default__bits_set(mask) %}bit_count({{ mask }}){% endmacro %}

{% macro bit_at(position) %}{{ return(adapter.dispatch('bit_at')(position)) }}{% endmacro %}
{% macro default__bit_at(position) %}(cast(1 as bigint) << cast({{ position }} as bigint)){% endmacro %}
{% macro spark__bit_at(position) %}shiftleft(cast(1 as bigint), {{ position }}){% endmacro %}
