"""Which days a run works on: the days asked for, the days that late facts re-open, and the facts to build first.

A load writes the days it touched to raw_meta.open_days; they stay there until a run has worked them in, so a crash
between the two loses nothing. Planning is a pure function of the warehouse and the range asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from dagster_project.settings import Settings
from dagster_project.warehouse import table_exists

WINDOW_DAYS = 84  # the longest look back of a measure into the rolling windows: 12 weeks


@dataclass(frozen=True)
class RunDays:
    """The days of one run, all inclusive.

    `asked_from` to `to_day` is the range asked for; scoring begins at `from_day`, earlier when late facts re-opened a
    day within the look-back. `fact_days` counts the days whose facts are built again; `too_late` those whose facts are
    older than the look-back and wait for an explicit backfill.
    """

    asked_from: date
    from_day: date
    to_day: date
    windows_from_day: date
    facts_from_day: date
    facts_to_day: date
    fact_days: int
    too_late: int


def plan_run(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date, last: date) -> RunDays:
    """Plan the run that scores `first` to `last`; writes raw_meta.run_days and raw_meta.fact_days for dbt to read."""
    floor = first - timedelta(days=settings.look_back_days)
    built_through = _one(connection, "select max(day) from raw_meta.scored_days") or date.min
    if _facts_are_outdated(connection, settings):
        _reopen_all_facts(connection)
        floor = date.min
    connection.execute(
        """
        create or replace table raw_meta.fact_days as
        select distinct day from raw_meta.open_days
        where day <= $last and (day >= $floor or day > $built)
        """,
        {"last": last, "floor": floor, "built": built_through},
    )
    reopened = _one(
        connection,
        """
        select min(open.day) from raw_meta.open_days as open
        inner join raw_meta.scored_days as scored on open.day = scored.day
        where open.day >= $floor and open.day < $first
        """,
        {"floor": floor, "first": first},
    )
    from_day = max(min(first, reopened or first), min(first, settings.days.first))
    facts = connection.execute("select min(day), max(day), count(*) from raw_meta.fact_days").fetchone() or (
        None,
        None,
        0,
    )
    late = connection.execute(
        "select count(distinct day) from raw_meta.open_days where day < $floor and day <= $built",
        {"floor": floor, "built": built_through},
    ).fetchone()
    days = RunDays(
        asked_from=first,
        from_day=from_day,
        to_day=last,
        windows_from_day=_windows_from(connection, from_day, last, facts[0]),
        facts_from_day=facts[0] or first,
        facts_to_day=facts[1] or first,
        fact_days=facts[2],
        too_late=late[0] if late else 0,
    )
    _write(connection, settings, days)
    return days


def mark_scored(connection: duckdb.DuckDBPyConnection, days: RunDays, inputs_hash: str, at: datetime) -> None:
    """Record that the run's days are scored, and close the days it worked in; in one transaction."""
    connection.execute("begin")
    try:
        connection.execute(
            """
            insert or replace into raw_meta.scored_days
            select cast(unnest(generate_series($from_day, $to_day, interval 1 day)) as date), $inputs_hash, $at
            """,
            {"from_day": days.from_day, "to_day": days.to_day, "inputs_hash": inputs_hash, "at": at},
        )
        connection.execute("delete from raw_meta.open_days where day in (select day from raw_meta.fact_days)")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def days_to_score(
    connection: duckdb.DuckDBPyConnection, settings: Settings, last: date, inputs_hash: str
) -> tuple[date, date] | None:
    """The range that is due by `last`: the days not scored yet, re-opened days, the last day if its inputs changed.

    None where nothing is due.
    """
    missing = _one(
        connection,
        """
        select min(day) from (
            select cast(unnest(generate_series($first, $last, interval 1 day)) as date) as day
        ) where day not in (select day from raw_meta.scored_days)
        """,
        {"first": settings.days.first, "last": last},
    )
    reopened = _one(
        connection,
        "select min(day) from raw_meta.open_days where day between $floor and $last",
        {"floor": max(settings.days.first, last - timedelta(days=settings.look_back_days)), "last": last},
    )
    stale = _one(
        connection,
        "select day from raw_meta.scored_days where day = $last and inputs_hash <> $inputs_hash",
        {"last": last, "inputs_hash": inputs_hash},
    )
    due = [day for day in (missing, reopened, stale) if day is not None]
    return (min(due), last) if due else None


def _windows_from(connection: duckdb.DuckDBPyConnection, from_day: date, to_day: date, facts_from: date | None) -> date:
    """The first day whose rolling windows are missing or outdated, as far back as measures look; else `from_day`."""
    start = from_day - timedelta(days=WINDOW_DAYS)
    if not table_exists(connection, "intermediate", "int_usage__windows"):
        return start
    missing = _one(
        connection,
        """
        select min(day) from (
            select cast(unnest(generate_series($start, $to_day, interval 1 day)) as date) as day
        ) where day not in (select day from intermediate.int_usage__windows)
        """,
        {"start": start, "to_day": to_day},
    )
    return min(missing or from_day, from_day, max(facts_from or from_day, start))


def _facts_are_outdated(connection: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Key features and the time zone are part of the stored facts: when they change, all facts are built again."""
    if not table_exists(connection, "raw_meta", "run_days"):
        return False
    return bool(_one(connection, "select facts_hash from raw_meta.run_days") != settings.content_hash)


def _reopen_all_facts(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        insert into raw_meta.open_days (day, source, entity, opened_at)
        select distinct cast(known_at as date), 'files', 'usage_events', cast(current_timestamp as timestamp)
        from raw_files.usage_events
        """
    )
    if table_exists(connection, "intermediate", "int_usage__windows"):
        connection.execute("delete from intermediate.int_usage__windows")


def _write(connection: duckdb.DuckDBPyConnection, settings: Settings, days: RunDays) -> None:
    connection.execute(
        """
        create or replace table raw_meta.run_days as
        select $from_day::date as from_day, $to_day::date as to_day, $windows::date as windows_from_day,
               $facts_from::date as facts_from_day, $facts_to::date as facts_to_day, $facts_hash as facts_hash
        """,
        {
            "from_day": days.from_day,
            "to_day": days.to_day,
            "windows": days.windows_from_day,
            "facts_from": days.facts_from_day,
            "facts_to": days.facts_to_day,
            "facts_hash": settings.content_hash,
        },
    )


def _one(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object] | None = None):  # type: ignore[no-untyped-def]
    row = connection.execute(query, parameters or {}).fetchone()
    return row[0] if row else None
