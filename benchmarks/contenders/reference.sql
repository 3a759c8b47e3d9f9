-- What a person would write for DuckDB alone: from the files to the table of scores, and the daily facts kept for the
-- next day (reference_day.sql). No late facts, no history of what was known, no explanation, no checks of the input.
-- {landing} is the folder of files, {first} and {last} are the days.

create table days as
select cast(unnest(generate_series(date '{first}', date '{last}', interval 1 day)) as date) as day;

create table features as
select 'dashboards' as feature, 1 as bit
union all values ('reports', 2), ('search', 4), ('alerts', 8), ('exports', 16), ('api', 32), ('audit_log', 64),
    ('single_sign_on', 128);

-- An event that is delivered twice counts once. Few are: they are found by their ids alone.
create macro user_days_of(files) as table
with repeated as (
    select event_id from read_parquet(files) group by event_id having count(*) > 1
),
events as (
    select account_id, user_id, feature, happened_at from read_parquet(files)
    where event_id not in (select event_id from repeated)
    union all
    select any_value(account_id), any_value(user_id), any_value(feature), any_value(happened_at)
    from read_parquet(files) where event_id in (select event_id from repeated) group by event_id
)
select
    account_id, user_id, cast(happened_at as date) as day, count(*) as events,
    bit_or(coalesce(bit, 0)) as features
from events
left join features using (feature)
group by account_id, user_id, day;

create table user_days as from user_days_of('{landing}/usage/*.parquet');

-- Distinct users of 28 and of 7 days: a user counts from a day of use until so many days after the last of a run of them.
create temp table changes as
with neighbours as (
    select
        account_id, user_id, day, events, features,
        day - lag(day) over user_history as since, lead(day) over user_history - day as until
    from user_days
    window user_history as (partition by account_id, user_id order by day)
),
ends as (
    select
        account_id, day, events, features, 1 as user_days, (coalesce(since, 28) >= 28)::int as users_28d,
        (coalesce(since, 7) >= 7)::int as users_7d
    from neighbours
    union all
    select account_id, day + 28, 0, 0, -1, -(coalesce(until, 28) >= 28)::int, 0 from neighbours
    union all
    select account_id, day + 7, 0, 0, 0, 0, -1 from neighbours where coalesce(until, 7) >= 7
)
select
    account_id, day, sum(events) as events, bit_or(features) as features, sum(user_days) as user_days,
    sum(users_28d) as users_28d, sum(users_7d) as users_7d
from ends
group by account_id, day;

create table windows as
with usage as (
    select
        account_id, day,
        sum(users_28d) over so_far as active_users, sum(users_7d) over so_far as weekly_users,
        sum(user_days) over so_far as user_days,
        coalesce(sum(events) over last_28, 0) as events, coalesce(bit_or(features) over last_28, 0) as features,
        max(case when events > 0 then day end) over so_far as last_day,
        min(case when events > 0 then day end) over so_far as first_day
    from (select distinct account_id from user_days)
    cross join days
    left join changes using (account_id, day)
    window
        so_far as (partition by account_id order by day rows unbounded preceding),
        last_28 as (partition by account_id order by day rows 27 preceding)
)
select
    account_id, day, active_users::bigint as active_users, weekly_users::bigint as weekly_users,
    user_days::bigint as user_days, events::bigint as events, features, first_day, last_day
from usage
where first_day is not null;

-- Eight weeks of the past, counted from the account's first use on; fewer than four are no baseline.
create temp table baselines as
with lagged as (
    select
        account_id, day, day - first_day as used_for,
        weekly_users + coalesce(lag(weekly_users, 7) over past, 0) + coalesce(lag(weekly_users, 14) over past, 0) as recent,
        coalesce(lag(events, 28) over past, 0) + coalesce(lag(events, 56) over past, 0) as events_before,
        coalesce(lag(weekly_users, 28) over past, 0) as w4, coalesce(lag(weekly_users, 35) over past, 0) as w5,
        coalesce(lag(weekly_users, 42) over past, 0) as w6, coalesce(lag(weekly_users, 49) over past, 0) as w7,
        coalesce(lag(weekly_users, 56) over past, 0) as w8, coalesce(lag(weekly_users, 63) over past, 0) as w9,
        coalesce(lag(weekly_users, 70) over past, 0) as w10, coalesce(lag(weekly_users, 77) over past, 0) as w11
    from windows
    window past as (partition by account_id order by day)
)
select
    account_id, day, recent,
    case when events_before >= 20 and used_for >= 55 then list_aggregate([
        w4, w5, w6, w7,
        case when used_for >= 62 then w8 end, case when used_for >= 69 then w9 end,
        case when used_for >= 76 then w10 end, case when used_for >= 83 then w11 end
    ], 'median') end as baseline
from lagged;

-- Support, surveys and billing as counts of 90 days, for the days from {first} to {last}.
create macro ratings() as table
select account_id, cast(solved_at as date) as day, rating
from read_parquet('{landing}/tickets.parquet') where rating is not null
union all
select account_id, cast(answered_at as date), score from read_parquet('{landing}/surveys.parquet') where kind = 'csat';

create macro tickets() as table
select account_id, cast(opened_at as date) as day from read_parquet('{landing}/tickets.parquet');

create macro overdue() as table
select account_id, due_on, coalesce(paid_on, date '9999-12-31') as paid_on
from read_parquet('{landing}/invoices.parquet') where coalesce(paid_on, date '9999-12-31') > due_on + 1;

create macro account_days() as table
select account_id, day, segment, plan, seats
from read_parquet('{landing}/accounts.parquet')
inner join days on day >= created_on and (ended_on is null or day < ended_on);

create temp table commercial as
with opened as (
    select account_id, day, count(*) as tickets from tickets() group by all
),
rated as (
    select account_id, day, count(*) as ratings, sum(25 * (rating - 1)) as satisfaction from ratings() group by all
),
late as (
    select account_id, day, min(due_on) as due_on from overdue() inner join days on day > due_on and day < paid_on group by all
),
invoiced as (
    select account_id, min(issued_on) as first_issued from read_parquet('{landing}/invoices.parquet') group by all
)
select
    account_id, account_days.day, segment, plan, seats,
    coalesce(sum(tickets) over last_90, 0) as tickets, sum(ratings) over last_90 as ratings,
    sum(satisfaction) over last_90 as satisfaction,
    case when late.due_on is not null then account_days.day - late.due_on when first_issued <= account_days.day then 0 end
        as days_past_due
from (select account_id, day, segment, plan, seats from account_days()) as account_days
left join opened using (account_id, day)
left join rated using (account_id, day)
left join late using (account_id, day)
left join invoiced using (account_id)
window last_90 as (partition by account_id order by account_days.day rows 89 preceding);

create temp table measured as
select
    account_id, day, segment,
    case when active_users > seats then 1 else active_users / seats end as active_users_to_seats,
    case when active_users = 0 then 0 else user_days / (28 * active_users) end as stickiness,
    recent / 3 / nullif(baseline, 0) as usage_vs_baseline,
    case when plan = 'enterprise' then bit_count(features) / 8 else bit_count(features & 31) / 5 end as feature_breadth,
    day - last_day as days_since_last_activity,
    case when active_users = 0 then 0 else events / active_users end as events_per_active_user_28d,
    100 * tickets / seats as tickets_per_100_seats_90d,
    satisfaction / ratings as csat,
    days_past_due
from commercial
left join windows using (account_id, day)
left join baselines using (account_id, day);

-- The scorecard, and what it makes of a table of measures.
create macro ramp(value, x0, y0, x1, y1) as y0 + (y1 - y0) * (value - x0) / (x1 - x0);
create macro scores_of(rows) as table
with ranked as (
    select
        *,
        count(events_per_active_user_28d) over peers as peers,
        rank() over (peers order by events_per_active_user_28d) - 1 as below,
        count(*) over (partition by day, segment, events_per_active_user_28d) - 1 as level_with
    from query_table(rows)
    window peers as (partition by day, segment, events_per_active_user_28d is null)
),
judged as (
    select
        * exclude (peers, below, level_with),
        case
            when active_users_to_seats < 0.75 then ramp(active_users_to_seats, 0, 0, 0.75, 75)
            else ramp(active_users_to_seats, 0.75, 75, 1, 100)
        end as active_users_to_seats_score,
        100 * case when stickiness < 0.4 then stickiness / 0.4 when stickiness >= 0.4 then 1 end as stickiness_score,
        100 * case when usage_vs_baseline < 0.85 then usage_vs_baseline / 0.85 when usage_vs_baseline >= 0.85 then 1 end
            as usage_vs_baseline_score,
        case
            when feature_breadth < 0.3 then ramp(feature_breadth, 0, 0, 0.3, 50)
            when feature_breadth < 0.6 then ramp(feature_breadth, 0.3, 50, 0.6, 80)
            else ramp(feature_breadth, 0.6, 80, 1, 100)
        end as feature_breadth_score,
        100 * exp(-ln(2) * days_since_last_activity / 30) as days_since_last_activity_score,
        case when events_per_active_user_28d is not null and peers >= 30 then 100 * (below + level_with / 2) / (peers - 1) end
            as events_per_active_user_28d_score,
        case
            when tickets_per_100_seats_90d <= 0 then 60 when tickets_per_100_seats_90d <= 2 then 100
            when tickets_per_100_seats_90d <= 6 then 75 when tickets_per_100_seats_90d <= 12 then 45 else 20
        end as tickets_per_100_seats_90d_score,
        csat as csat_score,
        case when days_past_due <= 0 then 100 when days_past_due <= 7 then 75 when days_past_due <= 30 then 40
            when days_past_due is not null then 0 end as days_past_due_score
    from ranked
),
weighed as (
    select
        *,
        3 * (active_users_to_seats_score is not null)::int + (stickiness_score is not null)::int
        + 3 * (usage_vs_baseline_score is not null)::int + 2 * (feature_breadth_score is not null)::int
        + 2 * (days_since_last_activity_score is not null)::int
        + (events_per_active_user_28d_score is not null)::int as usage_weight,
        3 * coalesce(active_users_to_seats_score, 0) + coalesce(stickiness_score, 0)
        + 3 * coalesce(usage_vs_baseline_score, 0) + 2 * coalesce(feature_breadth_score, 0)
        + 2 * coalesce(days_since_last_activity_score, 0)
        + coalesce(events_per_active_user_28d_score, 0) as usage_points
    from judged
),
summed as (
    select
        *,
        (
            coalesce(50 * usage_points / nullif(usage_weight, 0), 0) + 20 * tickets_per_100_seats_90d_score
            + coalesce(10 * csat_score, 0) + coalesce(20 * days_past_due_score, 0)
        ) / (
            50 * (usage_weight > 0)::int + 20 + 10 * (csat_score is not null)::int
            + 20 * (days_past_due_score is not null)::int
        ) as raw_score,
        (
            50 * usage_weight / 12 + 20 + 10 * (csat_score is not null)::int + 20 * (days_past_due_score is not null)::int
        ) / 100 as coverage
    from weighed
),
held as (
    select
        *,
        case
            when coverage < 0.7 - 1e-9 then null
            when days_past_due > 60 then least(raw_score, 49)
            else raw_score
        end as score
    from summed
)
select
    account_id, day, raw_score, score,
    case when score is null then 'insufficient_data' when round(score, 9) >= 75 then 'green'
        when round(score, 9) >= 50 then 'yellow' else 'red' end as band,
    coverage,
    columns('^(active|stick|usage_vs|feature_|days_|events_per|tickets_|csat).*')
from held;

create table scores as from scores_of('measured');
