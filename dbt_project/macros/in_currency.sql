{# An amount that a provider counts in the currency's smallest unit, in the currency itself.

   Which unit that is differs: Stripe counts dinars in thousandths, and kronur of Iceland and shillings of Uganda in
   hundredths that nobody pays with; Chargebee counts those whole, and knows no thousandths. #}
{% macro in_currency(amount, currency, provider) -%}
    {%- set thousandths = ['bhd', 'jod', 'kwd', 'omr', 'tnd'] if provider == 'stripe' else [] -%}
    {%- set whole = [
        'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ] + ([] if provider == 'stripe' else ['isk', 'ugx']) -%}
    cast(cast({{ amount }} as decimal(18, 4)) / case
        when lower({{ currency }}) in ('{{ whole | join("', '") }}') then 1
        {%- if thousandths %}
        when lower({{ currency }}) in ('{{ thousandths | join("', '") }}') then 1000
        {%- endif %}
        else 100
    end as decimal(18, 4))
{%- endmacro %}
