-- grain: account and day of the run
-- Expected lifetime value: the churn of a month is a twelfth of the year's; without any, nobody ever leaves: not known.
with invoices_known as (
    select
        account_id,
        min(known_day) as first_known
    from {{ ref('int_billing__invoices') }}
    where is_account_known
    group by account_id
),

paid as (
    {{ as_of_day(ref('int_billing__payments'), ['amount_paid', 'invoices_paid', 'invoices_without_amount']) }}
),

joined as (
    select
        account_days.account_id,
        account_days.day,
        case
            when overdue.oldest_due_on is not null then {{ days_from('overdue.oldest_due_on', 'account_days.day') }}
            when invoices_known.first_known <= account_days.day then 0
        end as days_past_due,
        coalesce(overdue.invoices_past_due, 0) as invoices_past_due,
        invoice_feed.feed_day as invoice_feed_day,
        cast(mrr.mrr as double) as mrr,
        cast(mrr.mrr_90d_ago as double) as mrr_90d_ago,
        mrr.subscriptions,
        cast(year_ago.mrr_12m_ago as double) as mrr_12m_ago,
        year_ago.subscriptions_12m_ago,
        cast(months.mrr_of_12_months as double) as mrr_of_12_months,
        months.months_of_12,
        -- A payment without an amount leaves the sum of all unknown.
        case
            when invoices_known.first_known <= account_days.day and paid.invoices_without_amount = 0
                then paid.amount_paid
        end as amount_paid,
        paid.invoices_paid,
        settings.gross_margin,
        churn.accounts_paying_12m_ago,
        churn.accounts_lost
    from {{ ref('int_accounts__days') }} as account_days
    left join {{ ref('int_billing__overdue') }} as overdue
        on account_days.account_id = overdue.account_id and account_days.day = overdue.day
    left join invoices_known
        on account_days.account_id = invoices_known.account_id
    left join {{ ref('int_billing__invoice_feed') }} as invoice_feed
        on account_days.day = invoice_feed.day
    left join {{ ref('int_billing__mrr') }} as mrr
        on account_days.account_id = mrr.account_id and account_days.day = mrr.day
    left join {{ ref('int_billing__mrr_year_ago') }} as year_ago
        on account_days.account_id = year_ago.account_id and account_days.day = year_ago.day
    -- the newest month that was over at the end of the day
    left join {{ ref('int_billing__mrr_changes') }} as months
        on
            account_days.account_id = months.account_id
            and months.month_end = case
                when account_days.day = {{ month_end('account_days.day') }} then account_days.day
                else {{ add_days('account_days.day', '-cast(extract(day from account_days.day) as integer)') }}
            end
    left join paid
        on account_days.account_id = paid.account_id and account_days.day = paid.day
    left join {{ ref('int_billing__churn') }} as churn
        on account_days.day = churn.day
    cross join {{ source('raw_config', 'settings') }} as settings
),

final as (
    select
        account_id,
        day,
        {{ measure('days_past_due', 'invoices_past_due', 'invoice_feed_day') }} as days_past_due,
        {{ measure('(mrr - mrr_90d_ago) / nullif(mrr_90d_ago, 0)', 'subscriptions', 'day') }} as mrr_change,
        {{ measure(
            'case when mrr_of_12_months > 0 and 50 * mrr * months_of_12 > 100 * mrr_of_12_months then 100'
            ~ ' else 50 * mrr * months_of_12 / nullif(mrr_of_12_months, 0) end',
            'months_of_12',
            'day'
        ) }} as growth,
        {{ measure(
            'case when mrr > mrr_12m_ago then mrr_12m_ago else mrr end / nullif(mrr_12m_ago, 0)',
            'subscriptions_12m_ago',
            'day'
        ) }} as gross_revenue_retention_12m,
        {{ measure('mrr / nullif(mrr_12m_ago, 0)', 'subscriptions_12m_ago', 'day') }} as net_revenue_retention_12m,
        {{ measure('amount_paid', 'case when amount_paid is not null then invoices_paid end', 'invoice_feed_day') }}
            as lifetime_value,
        {{ measure(
            'mrr * gross_margin * 12 * accounts_paying_12m_ago / nullif(accounts_lost, 0)', 'accounts_paying_12m_ago', 'day'
        ) }} as expected_lifetime_value
    from joined
)

select * from final
