{# An amount that a provider counts in the currency's smallest unit, in the currency itself. #}
{% macro in_currency(amount, currency) -%}
    cast(cast({{ amount }} as decimal(18, 4)) / case
        when lower({{ currency }}) in (
            'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
        ) then 1 else 100
    end as decimal(18, 4))
{%- endmacro %}
