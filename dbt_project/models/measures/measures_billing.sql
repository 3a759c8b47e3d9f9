-- grain: account and day of the run
with invoices_known as (
    select
        account_id,
        min(known_day) as first_known
    from {{ ref('int_billing__invoices') }}
    where is_account_known
    group by account_id
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
        mrr.subscriptions
    from {{ ref('int_accounts__days') }} as account_days
    left join {{ ref('int_billing__overdue') }} as overdue
        on account_days.account_id = overdue.account_id and account_days.day = overdue.day
    left join invoices_known
        on account_days.account_id = invoices_known.account_id
    left join {{ ref('int_billing__invoice_feed') }} as invoice_feed
        on account_days.day = invoice_feed.day
    left join {{ ref('int_billing__mrr') }} as mrr
        on account_days.account_id = mrr.account_id and account_days.day = mrr.day
),

final as (
    select
        account_id,
        day,
        {{ measure('days_past_due', 'invoices_past_due', 'invoice_feed_day') }} as days_past_due,
        {{ measure('(mrr - mrr_90d_ago) / nullif(mrr_90d_ago, 0)', 'subscriptions', 'day') }} as mrr_change
    from joined
)

select * from final
