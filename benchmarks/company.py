"""A made-up company of any size, written by DuckDB alone: the files that every contender of the benchmark reads.

    python -m benchmarks.company [--size 10m] [--seed 7]

20,000 accounts (2,000 at 1m), 365 days and one day more, in var/bench/SIZE/landing as Parquet with zstd:
- usage/DAY.parquet (the day more: next/DAY.parquet), one file a day in the order of time: event_id,
  account_id, user_id, feature, happened_at, seconds.
  A few accounts have most of the events (1 % a fifth, 10 % half), a weekend day has a quarter of a working day's, and
  within an account a few users have most. One event in a thousand is delivered twice.
- accounts, subscriptions, invoices, tickets, surveys: one file each, for all of the days.

Accounts come, go and lose heart during the year. Nothing is random: every value is a hash of the seed and its place, so
the same seed and DuckDB make the same rows. The files are kept and used again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
FIRST_DAY, DAYS = date(2025, 7, 1), 365
LAST_DAY = FIRST_DAY + timedelta(DAYS - 1)
NEXT_DAY = LAST_DAY + timedelta(1)
SIZES = {"1m": (1_000_000, 2_000), "10m": (10_000_000, 20_000), "100m": (100_000_000, 20_000)}
DRAWN_FOR_EACH_KEPT = 1.187  # events drawn for accounts that have left, or not come yet, or grown silent are dropped
KEY_FEATURES = ("dashboards", "reports", "search", "alerts", "exports", "api", "audit_log", "single_sign_on")
FEATURES = (*KEY_FEATURES, *(f"feature_{number}" for number in range(9, 21)))

ACCOUNTS = """
create macro share(place, of_what) as (hash($seed, place, of_what) >> 11) / 9007199254740992.0;
create table drawn_accounts as
select
    number, 'A' || number as account_id, (number - 1) / $accounts as place,
    (3 + 300 * pow(1 - (number - 1) / $accounts, 8))::bigint as seats,
    case
        when share(number, 'new') < 0.15 then $first + (share(number, 'created') * 365)::integer
        else $first - (share(number, 'created') * 1500)::integer
    end as created_on,
    case when share(number, 'leaves') < 0.06 then $first + (30 + share(number, 'left') * 365)::integer end as leaves_on,
    case when share(number, 'tires') < 0.1 then $first + (share(number, 'tired') * 365)::integer end as tires_on
from range(1, $accounts + 1) as numbers (number);
create table accounts as
select
    number, account_id, 'Account ' || number as name, place,
    case when place < 0.02 then 'enterprise' when place < 0.12 then 'large' when place < 0.4 then 'medium' else 'small'
    end
        as segment,
    case when place < 0.12 then 'enterprise' else 'standard' end as plan,
    'owner ' || number % 50 as owner, seats, seats * 1200 as arr, created_on,
    case when leaves_on > created_on + 30 then leaves_on end as ended_on, tires_on
from drawn_accounts;
"""
ENTITIES = {
    "accounts": "select account_id, name, segment, plan, owner, arr, seats, created_on, ended_on from accounts",
    "subscriptions": """
        with versions as (
            select *, created_on as known_on, 100 * seats as mrr from accounts
            union all
            select *, created_on + 90 + (share(number, 'grown') * 300)::integer, 110 * seats
            from accounts where share(number, 'grows') < 0.2
        )
        select
            'S' || number as subscription_id, account_id, plan, mrr, seats, created_on as started_on, ended_on, known_on
        from versions
    """,
    "invoices": """
        with issued as (
            select *, cast(month as date) as issued_on, cast(month as date) + 30 as due_on
            from accounts
            cross join (
                select unnest(generate_series($first - interval 6 month, $last + interval 1 day, interval 1 month))
                    as month
            )
            where month >= created_on and (ended_on is null or month < ended_on)
        ),
        drawn as (
            select *, share(number, ('late', issued_on)) as late, share(number, ('days', issued_on)) as days from issued
        )
        select
            'I' || number || '-' || strftime(issued_on, '%Y%m') as invoice_id, account_id, 100 * seats as amount,
            issued_on, due_on,
            case
                when late < 0.92 then due_on - (days * 25)::integer
                when late < 0.99 then due_on + (1 + days * 90)::integer
            end as paid_on
        from drawn
    """,
    "tickets": """
        with opened as (
            select *, (day + to_seconds(28800 + (share(number, ('opened', day)) * 36000)::bigint)) as opened_at
            from accounts
            cross join (select unnest(generate_series($first, $last + interval 1 day, interval 1 day)) as day)
            where
                day >= created_on and (ended_on is null or day < ended_on)
                and share(number, ('ticket', day)) < 0.003 + 0.0004 * seats
        )
        select
            'T' || number || '-' || strftime(day, '%Y%m%d') as ticket_id, account_id,
            ['urgent', 'high', 'normal', 'normal', 'low'][1 + (share(number, ('severity', day)) * 5)::integer % 5]
                as severity,
            opened_at,
            case
                when share(number, ('solved', day)) < 0.95
                    then opened_at + to_seconds((share(number, ('took', day)) * 300000)::bigint)
            end as solved_at,
            case
                when share(number, ('solved', day)) < 0.3
                    then 1 + (4.99 * sqrt(share(number, ('rated', day))))::integer % 5
            end as rating
        from opened
    """,
    "surveys": """
        with asked as (
            select
                *,
                ($first + interval (round) month + to_days((share(number, ('asked', round)) * 30)::integer))
                    as answered_at
            from accounts
            cross join range(0, 12, 3) as rounds (round)
            where share(number, ('answers', round)) < 0.5
        )
        select
            kind || number || '-' || round as response_id, account_id, 'U' || number || '-1' as user_id, kind,
            case kind
                when 'nps' then (10 * pow(share(number, ('nps', round)), 0.4))::integer
                else 1 + (4 * sqrt(share(number, ('csat', round))))::integer
            end as score,
            answered_at
        from asked
        cross join (select unnest(['nps', 'csat']) as kind)
        where answered_at >= created_on and (ended_on is null or answered_at < ended_on)
    """,
}
# Five events are one visit of one user. Each draw is 21 bits of a hash. The last of the numbers are events that come
# again.
USAGE = """
with numbers as (
    select case when number < $events then number else (number - $events) * 1000 end as number
    from range(0, $events + $events // 1000) as numbers (number)
),
drawn as (
    select number, hash($seed, $day, number // 5) as visit, hash($day, $seed, number) as event
    from numbers
),
shares as (
    select
        number,
        1 + floor($accounts * pow((visit & 2097151) / 2097152.0, 3))::bigint as account,
        ((visit >> 21) & 2097151) / 2097152.0 as user_share, ((visit >> 42) & 2097151) / 2097152.0 as time_share,
        (event & 2097151) / 2097152.0 as feature_share, ((event >> 21) & 2097151) / 2097152.0 as length_share,
        ((event >> 42) & 2097151) / 2097152.0 as kept_share
    from drawn
)
select
    ($day - date '2025-01-01')::bigint * 10000000 + shares.number as event_id,
    accounts.account_id,
    'U' || account || '-' || floor(1.1 * seats * pow(user_share, 1.5))::bigint as user_id,
    $features[1 + floor(20 * feature_share * feature_share)::integer] as feature,
    $day + to_seconds(25200 + (43200 * time_share + 1800 * kept_share)::bigint) as happened_at,
    (5 - 60 * ln(1 - length_share))::bigint as seconds
from shares
inner join accounts on shares.account = accounts.number
where
    $day >= created_on and (ended_on is null or $day < ended_on)
    and (tires_on is null or $day < tires_on or kept_share < pow(0.5, ($day - tires_on) / 20))
order by happened_at, event_id
"""


@dataclass(frozen=True)
class Company:
    """What decides the rows."""

    size: str
    seed: int
    duckdb: str = duckdb.__version__
    version: int = 1  # of this module's SQL

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return ROOT / "var" / "bench" / self.size / "landing"


def usage_file(folder: Path, day: date) -> Path:
    """The usage events of a day. Those of the day after the year lie where only the contest of one more day looks."""
    return folder / ("usage" if day <= LAST_DAY else "next") / f"{day}.parquet"


def make(company: Company) -> Path:
    """Write the files unless they are there; returns their folder."""
    note, content = company.folder / ".company.json", json.dumps(asdict(company))
    if note.exists() and note.read_text(encoding="utf-8") == content:
        return company.folder
    shutil.rmtree(company.folder, ignore_errors=True)
    for day in (LAST_DAY, NEXT_DAY):
        usage_file(company.folder, day).parent.mkdir(parents=True)
    started = time.monotonic()
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        events = _write(connection, company)
    note.write_text(content, encoding="utf-8")
    bytes_written = sum(path.stat().st_size for path in company.folder.rglob("*.parquet"))
    print(f"{events:,} usage events, {bytes_written / 1e6:,.0f} MB in {time.monotonic() - started:.0f} s", flush=True)
    return company.folder


def _write(connection: duckdb.DuckDBPyConnection, company: Company) -> int:
    wanted, accounts = SIZES[company.size]
    given = {"seed": company.seed, "accounts": accounts, "first": FIRST_DAY, "last": LAST_DAY}
    _execute(connection, ACCOUNTS, given)
    for name, query in ENTITIES.items():
        _copy(connection, query, company.folder / f"{name}.parquet", given)
    days = [FIRST_DAY + timedelta(number) for number in range(DAYS + 1)]
    weights = {day: 0.25 if day.weekday() >= 5 else 1.0 for day in days}
    each = wanted * DRAWN_FOR_EACH_KEPT / sum(weights[day] for day in days[:DAYS])
    features = list(FEATURES)
    for day in days:
        drawn = {**given, "day": day, "events": round(each * weights[day]), "features": features}
        _copy(connection, USAGE, usage_file(company.folder, day), drawn)
    files = [str(usage_file(company.folder, day)) for day in days[:DAYS]]
    found = connection.execute("select count(*) from read_parquet(?)", [files]).fetchone()
    return int(found[0]) if found else 0


def _execute(connection: duckdb.DuckDBPyConnection, script: str, given: dict[str, object]) -> None:
    for statement in duckdb.extract_statements(_filled(script, given)):
        connection.execute(statement)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: Path, given: dict[str, object]) -> None:
    connection.execute(f"copy ({_filled(query, given)}) to '{file}' (format parquet, compression zstd)")


def _filled(script: str, given: dict[str, object]) -> str:
    """The values in their places: a macro and a COPY take no parameters."""
    for name, value in given.items():
        written = f"date '{value}'" if isinstance(value, date) else str(value)
        script = script.replace(f"${name}", written)
    return script


def main() -> None:
    """Make a company."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="1m")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    print(make(Company(given.size, given.seed)))


if __name__ == "__main__":
    main()
