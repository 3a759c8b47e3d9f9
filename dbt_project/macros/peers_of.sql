{# What an account's peers have in common with it: its value of the field that the scorecard's `peer_group` names. #}
{% macro peers_of(peer_group, account) -%}
    coalesce(
        case {{ peer_group }}
            {%- for field in ['segment', 'plan', 'lifecycle_stage', 'industry', 'region'] %}
            when '{{ field }}' then {{ account }}.{{ field }}
            {%- endfor %}
        end,
        ''
    )
{%- endmacro %}
