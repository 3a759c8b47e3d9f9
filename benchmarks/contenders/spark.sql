-- The same work by hand in Spark SQL. Days are numbers: differences are plain subtractions. A semicolon ends a statement.

create temporary view features as
select * from values ('dashboards', 1), ('reports', 2), ('search', 4), ('alerts', 8), ('exports', 16), ('api', 32),
    ('audit_log', 64), ('single_sign_on', 128) as features (feature, bit);

create temporary view days as
select explode(sequence(unix_date(date '{first}'), unix_date(date '{last}'))) as day;

cache table user_days as
with events as (
    select distinct event_id, account_id, user_id, feature, unix_date(cast(happened_at as date)) as day
    from parquet.`{landing}/usage/`
)
select account_id, user_id, day, count(*) as events, bit_or(coalesce(bit, 0)) as features
from events
left join features using (feature)
group by account_id, user_id, day;

create temporary view changes as
with neighbours as (
    select
        *,
        day - lag(day) over (partition by account_id, user_id order by day) as since,
        lead(day) over (partition by account_id, user_id order by day) - day as until
    from user_days
),
ends as (
    select
        account_id,
        stack(
            3,
            day, events, features, 1, if(coalesce(since, 28) >= 28, 1, 0), if(coalesce(since, 7) >= 7, 1, 0),
            day + 28, 0L, 0, -1, if(coalesce(until, 28) >= 28, -1, 0), 0,
            day + 7, 0L, 0, 0, 0, if(coalesce(until, 7) >= 7, -1, 0)
        ) as (day, events, features, user_days, users_28d, users_7d)
    from neighbours
)
select
    account_id, day, sum(events) as events, bit_or(features) as features, sum(user_days) as user_days,
    sum(users_28d) as users_28d, sum(users_7d) as users_7d
from ends
group by account_id, day;

create temporary view windows as
with running as (
    select
        account_id, day,
        sum(users_28d) over so_far as active_users, sum(users_7d) over so_far as weekly_users,
        sum(user_days) over so_far as user_days,
        coalesce(sum(events) over last_28, 0) as events, coalesce(bit_or(features) over last_28, 0) as features,
        max(if(events > 0, day, null)) over so_far as last_day,
        min(if(events > 0, day, null)) over so_far as first_day
    from (select distinct account_id from user_days)
    cross join days
    left join changes using (account_id, day)
    window
        so_far as (partition by account_id order by day rows between unbounded preceding and current row),
        last_28 as (partition by account_id order by day rows between 27 preceding and current row)
),
lagged as (
    select
        *, day - first_day as used_for,
        weekly_users + lag(weekly_users, 7, 0L) over past + lag(weekly_users, 14, 0L) over past as recent,
        lag(events, 28, 0L) over past + lag(events, 56, 0L) over past as events_before,
        array(
            lag(weekly_users, 28, 0L) over past, lag(weekly_users, 35, 0L) over past,
            lag(weekly_users, 42, 0L) over past, lag(weekly_users, 49, 0L) over past,
            lag(weekly_users, 56, 0L) over past, lag(weekly_users, 63, 0L) over past,
            lag(weekly_users, 70, 0L) over past, lag(weekly_users, 77, 0L) over past
        ) as weeks
    from running
    window past as (partition by account_id order by day)
),
known as (
    select
        *,
        case
            when used_for >= 55 and events_before >= 20
                then array_sort(slice(weeks, 1, greatest(4, least(8, (used_for + 1) div 7 - 4))))
        end as known_weeks
    from lagged
    where used_for >= 0
)
select
    account_id, day, active_users, user_days, events, features, last_day, recent,
    (
        element_at(known_weeks, cast((size(known_weeks) + 1) div 2 as int))
        + element_at(known_weeks, cast(size(known_weeks) div 2 + 1 as int))
    ) / 2 as baseline
from known;

create temporary view commercial as
with opened as (
    select account_id, unix_date(cast(opened_at as date)) as day, count(*) as tickets
    from parquet.`{landing}/tickets.parquet` group by all
),
ratings as (
    select account_id, unix_date(cast(solved_at as date)) as day, rating
    from parquet.`{landing}/tickets.parquet` where rating is not null
    union all
    select account_id, unix_date(cast(answered_at as date)), score
    from parquet.`{landing}/surveys.parquet` where kind = 'csat'
),
rated as (
    select account_id, day, count(*) as ratings, sum(25 * (rating - 1)) as satisfaction from ratings group by all
),
late as (
    select account_id, explode(sequence(due + 1, least(paid, unix_date(date '{last}') + 1) - 1)) as day, due
    from (
        select account_id, unix_date(due_on) as due, coalesce(unix_date(paid_on), 99999) as paid
        from parquet.`{landing}/invoices.parquet`
    )
    where paid > due + 1 and due < unix_date(date '{last}')
),
oldest as (
    select account_id, day, min(due) as due from late group by all
),
invoiced as (
    select account_id, unix_date(min(issued_on)) as issued from parquet.`{landing}/invoices.parquet` group by all
),
account_days as (
    select account_id, day, segment, plan, seats
    from parquet.`{landing}/accounts.parquet`
    cross join days
    where day >= unix_date(created_on) and (ended_on is null or day < unix_date(ended_on))
)
select
    account_id, day, segment, plan, seats,
    coalesce(sum(tickets) over last_90, 0) as tickets, sum(ratings) over last_90 as ratings,
    sum(satisfaction) over last_90 as satisfaction,
    case when due is not null then day - due when issued <= day then 0 end as days_past_due
from account_days
left join opened using (account_id, day)
left join rated using (account_id, day)
left join oldest using (account_id, day)
left join invoiced using (account_id)
window last_90 as (partition by account_id order by day rows between 89 preceding and current row);

create temporary view measured as
select
    account_id, day, segment,
    if(active_users > seats, 1, active_users / seats) as active_users_to_seats,
    if(active_users = 0, 0, user_days / (28 * active_users)) as stickiness,
    recent / 3 / nullif(baseline, 0) as usage_vs_baseline,
    if(plan = 'enterprise', bit_count(features) / 8, bit_count(features & 31) / 5) as feature_breadth,
    day - last_day as days_since_last_activity,
    if(active_users = 0, 0, events / active_users) as events_per_active_user_28d,
    100 * tickets / seats as tickets_per_100_seats_90d,
    satisfaction / ratings as csat,
    days_past_due
from commercial
left join windows using (account_id, day);

create temporary view scores as
with ranked as (
    select
        *,
        count(events_per_active_user_28d) over (partition by day, segment) as peers,
        rank() over (
            partition by day, segment, events_per_active_user_28d is null order by events_per_active_user_28d
        ) - 1 as below,
        count(*) over (partition by day, segment, events_per_active_user_28d) - 1 as level_with
    from measured
),
judged as (
    select
        *,
        case when active_users_to_seats < 0.75 then 100 * active_users_to_seats
            else 75 + 100 * (active_users_to_seats - 0.75) end as active_users_to_seats_score,
        case when stickiness < 0.4 then 250 * stickiness when stickiness >= 0.4 then 100 end as stickiness_score,
        case when usage_vs_baseline < 0.85 then 100 * usage_vs_baseline / 0.85D when usage_vs_baseline >= 0.85 then 100 end
            as usage_vs_baseline_score,
        case when feature_breadth < 0.3 then 50 * feature_breadth / 0.3D
            when feature_breadth < 0.6 then 50 + 100 * (feature_breadth - 0.3D)
            else 80 + 50 * (feature_breadth - 0.6D) end as feature_breadth_score,
        100 * exp(-ln(2) * days_since_last_activity / 30) as days_since_last_activity_score,
        case when events_per_active_user_28d is not null and peers >= 30
            then 100 * (below + level_with / 2) / (peers - 1) end as events_per_active_user_28d_score,
        case
            when tickets_per_100_seats_90d <= 0 then 60D when tickets_per_100_seats_90d <= 2 then 100D
            when tickets_per_100_seats_90d <= 6 then 75D when tickets_per_100_seats_90d <= 12 then 45D else 20D
        end as tickets_per_100_seats_90d_score,
        csat as csat_score,
        case when days_past_due <= 0 then 100D when days_past_due <= 7 then 75D when days_past_due <= 30 then 40D
            when days_past_due is not null then 0D end as days_past_due_score
    from ranked
),
weighed as (
    select
        *,
        if(active_users_to_seats_score is null, 0, 3) + if(stickiness_score is null, 0, 1)
        + if(usage_vs_baseline_score is null, 0, 3) + if(feature_breadth_score is null, 0, 2)
        + if(days_since_last_activity_score is null, 0, 2)
        + if(events_per_active_user_28d_score is null, 0, 1) as usage_weight,
        3 * coalesce(active_users_to_seats_score, 0) + coalesce(stickiness_score, 0)
        + 3 * coalesce(usage_vs_baseline_score, 0) + 2 * coalesce(feature_breadth_score, 0)
        + 2 * coalesce(days_since_last_activity_score, 0)
        + coalesce(events_per_active_user_28d_score, 0) as usage_points,
        20 + if(csat_score is null, 0, 10) + if(days_past_due_score is null, 0, 20) as weight,
        20 * tickets_per_100_seats_90d_score + coalesce(10 * csat_score, 0) + coalesce(20 * days_past_due_score, 0) as points
    from judged
),
summed as (
    select
        *,
        (coalesce(50 * usage_points / nullif(usage_weight, 0), 0) + points) / (if(usage_weight > 0, 50, 0) + weight)
            as raw_score,
        (50 * usage_weight / 12 + weight) / 100 as coverage
    from weighed
),
held as (
    select
        *,
        case when coverage < 0.7D - 1e-9D then null when days_past_due > 60 then least(raw_score, 49D) else raw_score end
            as score
    from summed
)
select
    account_id, date_from_unix_date(day) as day, raw_score, score,
    case when score is null then 'insufficient_data' when round(score, 9) >= 75 then 'green'
        when round(score, 9) >= 50 then 'yellow' else 'red' end as band,
    coverage, {measures}
from held;
