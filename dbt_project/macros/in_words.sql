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
    else case
        when {{ measure }} like 'lens:%' then {{ measure_title(measure) }} || ' is ' || {{ value_in_words(value, 'score') }}
        else {{ measure }}
    end
end
{% endmacro %}

{# What moved a score, from a row of fct_score_changes: "usage fell to 55 % of its own baseline". A measure's `says_moved` has
   {moved} (fell or rose) in it; where it has none, the sentence is what it says of the later value. #}
{% macro effect_in_words(effect, measure, before, after) %}
case {{ effect }}
    when 'value' then {{ moved_in_words(measure, before, after) }}
    when 'appeared' then {{ in_words(measure, after) }} || ', not known before'
    when 'disappeared' then {{ measure_title(measure) }} || ' is not known any more'
    when 'weight' then 'the weights shifted as measures came to be known or not'
    when 'exception' then 'an exception took hold, changed or ended'
    when 'override' then 'an override took hold, changed or ended'
    when 'version' then 'another version of the scorecard judges'
end
{% endmacro %}

{% macro moved_in_words(measure, before, after) %}
case {{ measure }}
    {%- for defined in measures_defined() if defined.says_moved %}
    {%- set text = quoted_text(defined.says_moved)
        | replace('{moved}', "' || case when " ~ after ~ " < " ~ before ~ " then 'fell' else 'rose' end || '")
        | replace('{value}', "' || " ~ value_in_words(after, defined.unit) ~ " || '") %}
    when '{{ defined.name }}' then {{ text }}
    {%- endfor %}
    else case
        when {{ measure }} like 'lens:%'
            then
                {{ measure_title(measure) }} || case when {{ after }} < {{ before }} then ' fell to ' else ' rose to ' end
                || {{ value_in_words(after, 'score') }}
        else {{ in_words(measure, after) }}
    end
end
{% endmacro %}

{% macro measure_title(measure) %}
case {{ measure }}
    {%- for defined in measures_defined() %}
    when '{{ defined.name }}' then {{ quoted_text(defined.title) }}
    {%- endfor %}
    else case
        when {{ measure }} like 'lens:%' then 'the score of ' || replace(substr({{ measure }}, 6), '_', ' ')
        else {{ measure }}
    end
end
{% endmacro %}

{% macro quoted_text(text) %}{{ return("'" ~ text | replace("'", "''") ~ "'") }}{% endmacro %}

{# A value in its unit: 0.55 of `ratio` is "55 %", -0.1 of `change` is "-10 %", 34 `days` is "34 days". #}
{% macro value_in_words(value, unit) -%}
    {%- if unit == 'ratio' -%}
        cast(cast(round(100 * {{ value }}) as bigint) as string) || ' %'
    {%- elif unit == 'change' -%}
        case when {{ value }} > 0 then '+' else '' end || cast(cast(round(100 * {{ value }}) as bigint) as string) || ' %'
    {%- elif unit == 'days' -%}
        cast(cast({{ value }} as bigint) as string) || case when {{ value }} = 1 then ' day' else ' days' end
    {%- else -%}
        cast(cast(round({{ value }}) as bigint) as string)
    {%- endif -%}
{%- endmacro %}
