{# Does an account on a day meet a row of scorecard_conditions or alert_conditions? Texts are equal, numbers lie from
   number_from (included) to number_to (not). #}
{% macro condition_met(accounts, condition) -%}
    case {{ condition }}.field
        {%- for field in ['segment', 'plan', 'lifecycle_stage', 'industry', 'region', 'owner'] %}
        when '{{ field }}' then {{ accounts }}.{{ field }} = {{ condition }}.text_value
        {%- endfor %}
        {%- for field in ['account_age_days', 'arr'] %}
        when '{{ field }}'
            then
                {{ accounts }}.{{ field }} >= coalesce({{ condition }}.number_from, 0)
                and ({{ condition }}.number_to is null or {{ accounts }}.{{ field }} < {{ condition }}.number_to)
        {%- endfor %}
    end
{%- endmacro %}
