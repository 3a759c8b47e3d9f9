-- One more day over the daily facts that reference.sql has kept: {day}, whose events are in {usage}.

insert into days values (date '{day}');

insert into user_days from user_days_of('{usage}');

insert into windows
with used as (
    select
        account_id, count(distinct user_id) as active_users,
        count(distinct user_id) filter (where day > date '{day}' - 7) as weekly_users,
        count(*) as user_days, sum(events)::bigint as events, bit_or(features) as features, min(day) as first_day,
        max(day) as last_day
    from user_days
    where day > date '{day}' - 28
    group by account_id
),
before as (
    select account_id, first_day, last_day from windows where day = date '{day}' - 1
)
select
    account_id, date '{day}', coalesce(active_users, 0), coalesce(weekly_users, 0), coalesce(user_days, 0),
    coalesce(events, 0), coalesce(features, 0), coalesce(before.first_day, used.first_day),
    coalesce(used.last_day, before.last_day)
from before
full join used using (account_id);

create temp table baselines as
with lagged as (
    select
        account_id, max(date '{day}' - first_day) as used_for,
        sum(weekly_users) filter (where date '{day}' - day in (0, 7, 14)) as recent,
        sum(events) filter (where date '{day}' - day in (28, 56)) as events_before,
        list(weekly_users) filter (where date '{day}' - day between 28 and 77 and day - first_day >= 6) as whole_weeks
    from windows
    where day in (select date '{day}' - (weeks * 7)::integer from range(0, 12) as ago (weeks))
    group by account_id
)
select
    account_id, recent,
    case when events_before >= 20 and used_for >= 55 then list_aggregate(whole_weeks, 'median') end as baseline
from lagged;

create temp table measured as
with opened as (
    select account_id, count(*) as tickets from tickets() where day between date '{day}' - 89 and date '{day}' group by all
),
rated as (
    select account_id, count(*) as ratings, sum(25 * (rating - 1)) as satisfaction
    from ratings() where day between date '{day}' - 89 and date '{day}' group by all
),
late as (
    select account_id, min(due_on) as due_on from overdue()
    where due_on < date '{day}' and paid_on > date '{day}' group by all
),
invoiced as (
    select account_id, min(issued_on) as first_issued from read_parquet('{landing}/invoices.parquet') group by all
)
select
    account_id, account_days.day, segment,
    case when active_users > seats then 1 else active_users / seats end as active_users_to_seats,
    case when active_users = 0 then 0 else user_days / (28 * active_users) end as stickiness,
    recent / 3 / nullif(baseline, 0) as usage_vs_baseline,
    case when plan = 'enterprise' then bit_count(features) / 8 else bit_count(features & 31) / 5 end as feature_breadth,
    account_days.day - last_day as days_since_last_activity,
    case when active_users = 0 then 0 else events / active_users end as events_per_active_user_28d,
    100 * coalesce(tickets, 0) / seats as tickets_per_100_seats_90d,
    satisfaction / ratings as csat,
    case when late.due_on is not null then account_days.day - late.due_on when first_issued <= account_days.day then 0 end
        as days_past_due
from (select account_id, day, segment, plan, seats from account_days() where day = date '{day}') as account_days
left join (select * exclude (day) from windows where day = date '{day}') as windows using (account_id)
left join baselines using (account_id)
left join opened using (account_id)
left join rated using (account_id)
left join late using (account_id)
left join invoiced using (account_id);

insert into scores from scores_of('measured');
