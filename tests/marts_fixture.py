"""A small warehouse with the marts as they are promised, made by hand, with names that try to break things."""

from __future__ import annotations

from pathlib import Path

import duckdb

LAST_DAY = "2026-06-30"
SCRIPT = "<script>alert(1)</script>"
NASTY_NAMES = (
    "=cmd|' /C calc'!A0",
    SCRIPT,
    'Brook & Sons "</script>" <b>Ltd</b>',
    "\u202eevil txt.exe",
    "Ünïcode 株式会社 🦊👩\u200d🚀",
    "شركة الأمل",
    "'; drop table marts.current_health; --",
    "[bold]markup[/bold] \x1b[31mred\x1b[0m",
    "{{ 7 * 7 }} {% raw %}",
    "back\\slash \u2028 line \u2029 separators",
)

_DDL = """
create schema marts;
create table marts.dim_accounts (
    account_id varchar, account_name varchar, segment varchar, plan varchar, lifecycle_stage varchar,
    industry varchar, region varchar, owner varchar, parent_account_id varchar, arr decimal(18, 4), seats bigint,
    priority bigint, created_on date, renewal_on date, ended_on date, first_scored_on date, last_scored_on date
);
create table marts.dim_scorecards (
    scorecard_hash varchar, scorecard_id varchar, version varchar, title varchar, lens varchar, status varchar,
    is_default boolean, is_current boolean, coverage_floor double, roll_up varchar, effective_from date
);
create table marts.dim_scorecard_measures (
    scorecard_hash varchar, measure varchar, measure_group varchar, weight_percent double,
    group_weight_percent double, max_age_days integer, title varchar, unit varchar, direction varchar
);
create table marts.fct_health_scores (
    account_id varchar, day date, lens varchar, scorecard_id varchar, scorecard_version varchar,
    scorecard_hash varchar, segment varchar, arr decimal(18, 4), raw_score double, score double, band varchar,
    status varchar, coverage double, score_low double, score_high double, trend_7d double, trend_30d double,
    trend_90d double, peer_percentile double, adjustment varchar, measures_present integer, measures_expected integer
);
create table marts.fct_measure_scores (
    account_id varchar, day date, lens varchar, scorecard_id varchar, scorecard_hash varchar, measure varchar,
    measure_group varchar, value double, sample_size bigint, observed_at date, measure_score double,
    weight_in_force double, contribution double, points_lost double, missing_reason varchar
);
create table marts.fct_parent_scores (
    account_id varchar, day date, lens varchar, scorecard_id varchar, scorecard_hash varchar, roll_up varchar,
    counts_own boolean, score double, band varchar, coverage double, score_low double, score_high double,
    accounts integer, accounts_scored integer, arr decimal(18, 4), arr_scored decimal(18, 4),
    accounts_without_arr integer, lowest_account_id varchar, lowest_score double
);
create table marts.fct_breaches (
    breach_id varchar, account_id varchar, rule varchar, title varchar, severity varchar, lens varchar,
    opened_on date, closed_on date, is_open boolean, days_open integer, value_at_open double, worst_value double,
    peak_on date
);
create table marts.current_health (
    account_id varchar, account_name varchar, day date, score double, band varchar, status varchar, coverage double,
    score_low double, score_high double, trend_7d double, trend_30d double, trend_90d double, segment varchar,
    plan varchar, lifecycle_stage varchar, owner varchar, arr decimal(18, 4), renewal_on date,
    days_to_renewal integer, drivers_down varchar, drivers_up varchar, adjustment varchar, open_breaches integer,
    scorecard_id varchar, scorecard_version varchar, scorecard_hash varchar
);
create table marts.fct_input_issues (
    source varchar, entity varchar, issue varchar, title varchar, rows bigint, example varchar
);
comment on table marts.current_health is 'Today''s health of every account; one row an account';
comment on column marts.current_health.score is 'Health, 0 to 100; "higher" is healthier';
"""

_FILL = """
insert into marts.dim_scorecards values
    ('aaaabbbbcccc', 'default', '1.0', 'Customer health', 'overall', 'active', true, true, 0.7, 'mean', null),
    ('ddddeeeeffff', 'satisfaction', '1.0', 'Satisfaction', 'satisfaction', 'active', false, true, 0.5, 'mean', null);
insert into marts.dim_scorecard_measures values
    ('aaaabbbbcccc', 'nps', 'sentiment', 25.0, 50.0, 120, 'Net promoter score', 'points', 'up'),
    ('aaaabbbbcccc', 'csat', 'sentiment', 25.0, 50.0, 90, 'Ticket satisfaction', '0 to 100', 'up'),
    ('aaaabbbbcccc', 'usage_vs_baseline', 'usage', 50.0, 50.0, null, 'Usage against own baseline', 'ratio', 'up');

-- Accounts 0 .. n-1. Every fifth has no score; the last one has NULL wherever NULL is legal.
insert into marts.dim_accounts (account_id, account_name, segment, plan, owner, arr, created_on, renewal_on)
select
    'A' || lpad(i::varchar, 4, '0'), coalesce($names[i + 1], 'Customer ' || i),
    ['enterprise', 'mid market', 'small'][i % 3 + 1], ['pro', 'basic'][i % 2 + 1],
    ['Ada Lovelace', 'Grace Hopper', '=SUM(A1:A9)', 'Zoë <i>Ω</i>'][i % 4 + 1],
    ((i * 7919) % 900 + 10) * 1000 + 0.25, date '2023-01-01' + (i * 11)::integer,
    $last_day::date + (i * 13 % 365 - 20)::integer
from range($accounts) as t (i);
insert into marts.dim_accounts (account_id) values ('ALL-NULL');

insert into marts.fct_health_scores
with scored as (
    select
        a.account_id, ($last_day::date - d::integer) as day, a.segment, a.arr, a.account_id = 'ALL-NULL' as is_bare,
        try_cast(substr(a.account_id, 2) as integer) as i,
        greatest(0, least(100,
            20 + (i * 37) % 80 + 12 * sin(d / 9.0 + i) - (d % 7) * 0.3 - (i % 3 - 1) * d / 6.0
        )) as score
    from marts.dim_accounts as a, range($days) as t (d)
)
select
    account_id, day, 'overall', 'default', '1.0', 'aaaabbbbcccc', segment, arr,
    if(is_bare or i % 5 = 4, null, score), if(is_bare or i % 5 = 4, null, score),
    case
        when is_bare or i % 5 = 4 then 'insufficient_data' when score < 50 then 'red'
        when score < 75 then 'yellow' else 'green'
    end,
    if(is_bare or i % 5 = 4, 'insufficient_data', 'scored'), if(is_bare, 0, [0.75, 1.0, 0.85][i % 3 + 1]),
    if(is_bare, null, greatest(0, score - 12.5)), if(is_bare, null, least(100, score + 9)),
    if(is_bare, null, (i % 9) - 4.0), if(is_bare, null, (i % 21) - 10.0), null, null,
    if(i % 11 = 3, 'capped at 49: an invoice is more than 60 days past due', null),
    if(is_bare, 0, 2), 3
from scored
order by hash(account_id || day::varchar);

insert into marts.fct_measure_scores
select
    account_id, day, lens, scorecard_id, scorecard_hash, m.measure, m.measure_group,
    if(m.measure = 'nps', null, score / 100), if(m.measure = 'nps', 0, 12),
    if(m.measure = 'nps', null, day), if(m.measure = 'nps', null, score),
    if(m.measure = 'nps', null, 0.5), if(m.measure = 'nps', null, score / 2),
    if(m.measure = 'nps', null, 50 - score / 2),
    if(m.measure = 'nps', 'no_data', null)
from marts.fct_health_scores
inner join marts.dim_scorecard_measures as m using (scorecard_hash)
order by hash(account_id || day::varchar || m.measure);

-- A0000 stands above A0001, whose name is markup, and A0004, which has no score; A0002 names a parent nobody knows.
update marts.dim_accounts set parent_account_id = 'A0000' where account_id in ('A0001', 'A0004');
update marts.dim_accounts set parent_account_id = 'N0000' where account_id = 'A0002';
insert into marts.fct_parent_scores
select
    'A0000', day, 'overall', 'default', 'aaaabbbbcccc', 'arr_weighted_mean', true, 61.25, 'yellow', 0.75, 50, 70, 3, 2,
    700000, 525000, 0, 'A0001', 12.5
from (select distinct day from marts.fct_health_scores);

insert into marts.fct_breaches
select
    'B' || account_id || rule, account_id, rule, if(rule = 'low', 'Score below 50', 'Score fell by <20> points'),
    if(rule = 'low', 'high', 'normal'), 'overall', if(rule = 'low', $last_day::date, $last_day::date - 40),
    if(rule = 'low', null, $last_day::date - 30), rule = 'low', if(rule = 'low', 1, 10), score, score, day
from marts.fct_health_scores, (values ('low'), ('fell')) as r (rule)
where day = $last_day::date and band = 'red';

insert into marts.current_health
select
    s.account_id, a.account_name, s.day, s.score, s.band, s.status, s.coverage, s.score_low, s.score_high, s.trend_7d,
    s.trend_30d, s.trend_90d, s.segment, a.plan, a.lifecycle_stage, a.owner, s.arr, a.renewal_on,
    a.renewal_on - s.day,
    if(
        s.score is null, null,
        'active users are 12 of 40 seats (28 days); usage is 35 % below own baseline; '
        '3 open urgent tickets'
    ),
    if(s.score is null, null, 'invoices are paid on time; CSAT 4.6 of 5 over 12 ratings'),
    s.adjustment, (select count(*) from marts.fct_breaches as b where b.account_id = s.account_id and b.is_open),
    s.scorecard_id, s.scorecard_version, s.scorecard_hash
from marts.fct_health_scores as s
inner join marts.dim_accounts as a using (account_id)
where s.day = $last_day::date;

insert into marts.fct_input_issues values
    ('files', 'usage_events', 'duplicate_key', 'repeated event ids, dropped', 21, 'E-00017'),
    ('files', 'tickets', 'unknown_account', 'tickets of an unknown account', 2, $script),
    ('files', 'tickets', 'no_rating', 'tickets without a CSAT rating', 825, null);
"""


def build_warehouse(path: Path, *, accounts: int = 40, days: int = 120, generation: int | None = None) -> Path:
    """Writes a warehouse with marts of `accounts` accounts and one all-NULL one, `days` days up to LAST_DAY.

    With a `generation`, every mart gets a column of that name holding the number, so that a reader can tell
    whether all tables it sees come from the same publish.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    parameters: dict[str, object] = {
        "names": list(NASTY_NAMES), "last_day": LAST_DAY, "accounts": accounts, "days": days, "script": SCRIPT,
    }  # fmt: skip
    with duckdb.connect(str(path)) as con:
        con.execute(_DDL)
        for statement in con.extract_statements(_FILL):
            con.execute(statement, {name: parameters[name] for name in statement.named_parameters})
        if generation is not None:
            for (table,) in con.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall():
                con.execute(f"alter table marts.{table} add column generation integer default {generation}")
    return path
