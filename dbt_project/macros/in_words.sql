{# The sentence of a measure's row, from the measure's `says` (`says_zero` at 0, `says_one` at 1): "usage is at 55 % of its
   own baseline". #}
{% macro in_words(measure, value) %}
case {{ measure }}
    {%- for defined in measures_defined() %}
    {%- set text = quoted_text(defined.says) | replace('{value}', "' || " ~ value_in_words(value, defined.unit) ~ " || '") %}
    when '{{ defined.name }}' then case
        {%- if defined.says_zero %} when {{ value }} = 0 then {{ quoted_text(defined.says_zero) }}{% endif %}
        {%- if defined.says_one %} when {{ value }} = 1 then {{ quoted_text(defined.says_one) }}{% endif %}
        when {{ value }} is not null then {{ text }} end
    {%- endfor %}
    else {{ measure }}
end
{% endmacro %}

{% macro quoted_text(text) %}{{ return("'" ~ text | replace("'", "''") ~ "'") }}{% endmacro %}

{# A value in its unit: 0.55 of `ratio` is "55 %", -0.1 of `change` is "-10 %", 34 `days` is "34 days". #}
{% macro value_in_words(value, unit) -%}
    {%- if unit == 'ratio' -%}
        cast(cast(round(100 * {{ value }}) as bigint) as varchar) || ' %'
    {%- elif unit == 'change' -%}
        case when {{ value }} > 0 then '+' else '' end || cast(cast(round(100 * {{ value }}) as bigint) as varchar) || ' %'
    {%- elif unit == 'days' -%}
        cast(cast({{ value }} as bigint) as varchar) || case when {{ value }} = 1 then ' day' else ' days' end
    {%- else -%}
        cast(cast(round({{ value }}) as bigint) as varchar)
    {%- endif -%}
{%- endmacro %}
