"""Which days a run works on: the days asked for, the days that late facts re-open, and the facts to build first.

A load writes the days it touched to raw_meta.open_days; they stay there until a run has worked them in, so a crash
between the two loses nothing. Planning is a pure function of the warehouse and the range asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from dagster_project import retention
from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.warehouse import table_exists

WINDOW_DAYS = 84  # the longest look back of a measure into the rolling windows: 12 weeks

# The models whose SQL is that of the stored windows.
WINDOW_MODELS = tuple(
    PROJECT_ROOT / "dbt_project" / "models" / "intermediate" / "usage" / f"int_usage__{name}.sql"
    for name in ("windows", "user_changes")
)

# Where an account is reached through these, a change of theirs can give an owner to usage that had none.
REACHED_THROUGH = ("users", "subscriptions")


@dataclass(frozen=True)
class TooLate:
    """Facts that came later than the look-back and wait for an explicit backfill: of how many days, from which on."""

    days: int
    from_day: date | None

    def told(self, settings: Settings) -> str:
        """What happened and what to do, in words; empty if there are none."""
        if self.from_day is None:
            return ""
        first = max(self.from_day, settings.days.first)
        return (
            f"{self.days} days have facts that came more than {settings.look_back_days} days late and are not worked "
            f"in: `health run --from {first}` re-opens them"
        )


@dataclass(frozen=True)
class RunDays:
    """The days of one run, all inclusive.

    `asked_from` to `to_day` is the range asked for; scoring begins at `from_day`, earlier when late facts re-opened a
    day within the look-back. `fact_days` counts the days whose usage facts are built again; `too_late` is about the
    facts that came later than the look-back. Open days are worked in when they are at or after `floor`, or after
    `built_through`, the newest day scored before.
    """

    asked_from: date
    from_day: date
    to_day: date
    floor: date
    built_through: date
    windows_from_day: date
    facts_from_day: date
    facts_to_day: date
    repeats_from_day: date
    fact_days: int
    too_late: TooLate


def plan_run(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date, last: date) -> RunDays:
    """Plan the run that scores `first` to `last`; writes raw_meta.run_days and raw_meta.fact_days for dbt to read.

    From here on the marts count as untested, until `mark_scored`. Raises retention.FactsDroppedError.
    """
    built_through = newest_scored(connection) or date.min
    # From the first day on, everything is worked in: facts older than that can be asked for in no other way.
    floor = date.min if first <= settings.days.first else first - timedelta(days=settings.look_back_days)
    facts_floor = floor
    rebuildable = retention.first_rebuildable(connection, settings)
    if _facts_are_outdated(connection, settings):
        _reopen_all_facts(connection, rebuildable)
        facts_floor = date.min
    if _windows_are_outdated(connection):
        connection.execute("drop table intermediate.int_usage__windows")
    within: dict[str, object] = {"first": first, "last": last, "floor": floor, "built": built_through}
    _write_fact_days(connection, within | {"floor": facts_floor, "rebuildable": rebuildable or date.min})
    from_day = _first_reopened(connection, within) or first
    retention.refuse_facts_of_before(connection, settings, from_day)
    set_marts_tested(connection, tested=False)
    facts = connection.execute("select min(day), max(day), count(*) from raw_meta.fact_days").fetchone()
    facts_from, facts_to, fact_days = facts or (None, None, 0)
    days = RunDays(
        asked_from=first,
        from_day=from_day,
        to_day=last,
        floor=floor,
        built_through=built_through,
        windows_from_day=_windows_from(connection, from_day, last, facts_from),
        facts_from_day=facts_from or first,
        facts_to_day=facts_to or first,
        repeats_from_day=_repeats_from(settings, facts_from or first),
        fact_days=fact_days,
        too_late=too_late(connection, facts_floor),
    )
    _write(connection, days)
    return days


def _write_fact_days(connection: duckdb.DuckDBPyConnection, within: dict[str, object]) -> None:
    """Days whose usage facts must be built: rows came or went, or rows without an account may now have one."""
    strangers = ""
    if table_exists(connection, "intermediate", "int_usage__arrivals"):
        strangers = """
            union
            select known_day from intermediate.int_usage__arrivals
            where without_account > 0 and known_day between greatest($floor, $rebuildable) and $last
              and exists (
                  select * from raw_meta.open_days
                  where list_contains($reached_through, entity)
                    and opened_at >= (select max(scored_at) from raw_meta.scored_days)
              )
        """
    connection.execute(
        f"""
        create or replace table raw_meta.fact_days as
        select distinct day from raw_meta.open_days
        where entity = 'usage_events' and day between $rebuildable and $last and (day >= $floor or day > $built)
        {strangers}
        """,  # the text between is written above
        {name: value for name, value in within.items() if name != "first"}
        | ({"reached_through": list(REACHED_THROUGH)} if strangers else {}),
    )


def _first_reopened(connection: duckdb.DuckDBPyConnection, within: dict[str, object]) -> date | None:
    """The first day before the range that is scored already and touched by late facts within the look-back."""
    day: date | None = _one(
        connection,
        """
        select min(touched.day) from (
            select day from raw_meta.open_days union select day from raw_meta.fact_days
        ) as touched
        inner join raw_meta.scored_days as scored on touched.day = scored.day
        where touched.day >= $floor and touched.day < $first
        """,
        {"floor": within["floor"], "first": within["first"]},
    )
    return day


def too_late(connection: duckdb.DuckDBPyConnection, floor: date) -> TooLate:
    """The facts older than `floor` that no run has worked in.

    Usage counts even before the first day scored: the windows of later days look back on it.
    """
    row = connection.execute(
        """
        select count(distinct day), min(day) from raw_meta.open_days
        where day < $floor and day <= (select max(day) from raw_meta.scored_days)
          and (entity = 'usage_events' or day in (select day from raw_meta.scored_days))
        """,
        {"floor": floor},
    ).fetchone()
    return TooLate(*row) if row else TooLate(0, None)


def mark_scored(
    connection: duckdb.DuckDBPyConnection, settings: Settings, days: RunDays, inputs_hash: str, at: datetime
) -> None:
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
        connection.execute(
            "create or replace table raw_meta.facts_built as select $facts_hash as facts_hash",
            {"facts_hash": settings.content_hash},
        )
        connection.execute(
            "create or replace table raw_meta.windows_built as select $windows_hash as windows_hash",
            {"windows_hash": _windows_hash()},
        )
        connection.execute("create or replace table raw_meta.last_scored as select epoch(now()) as seconds")
        set_marts_tested(connection, tested=True)
        # What is not kept as daily facts and lies before the first day scored touches no score: nothing is left to do.
        connection.execute(
            """
            delete from raw_meta.open_days
            where day <= $to_day and (
                day >= $floor or day > $built
                or entity = 'usage_events' and day in (select day from raw_meta.fact_days)
                or entity <> 'usage_events' and day not in (select day from raw_meta.scored_days)
            )
            """,
            {"to_day": days.to_day, "floor": days.floor, "built": days.built_through},
        )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def set_marts_tested(connection: duckdb.DuckDBPyConnection, *, tested: bool) -> None:
    """Record whether all tests passed on the marts as they are; written before the first model is built, too."""
    connection.execute("create or replace table raw_meta.marts_tested as select $tested as tested", {"tested": tested})


def are_marts_tested(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether all tests passed on the marts as they are: false from the start of a build until it has ended well."""
    return table_exists(connection, "raw_meta", "marts_tested") and bool(
        _one(connection, "select tested from raw_meta.marts_tested")
    )


def last_scored(connection: duckdb.DuckDBPyConnection) -> float:
    """When a run last scored days, in seconds since 1970; 0 if none has."""
    if not table_exists(connection, "raw_meta", "last_scored"):
        return 0.0
    return float(_one(connection, "select seconds from raw_meta.last_scored"))


def newest_scored(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The newest day that a run has scored; None before the first."""
    day: date | None = _one(connection, "select max(day) from raw_meta.scored_days")
    return day


def days_to_score(
    connection: duckdb.DuckDBPyConnection, settings: Settings, last: date, inputs_hash: str
) -> tuple[date, date] | None:
    """The range that is due by `last`: days not scored yet, re-opened days, days of a run that did not come to its
    end, the last day if its inputs changed.

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
    cut_off = None if are_marts_tested(connection) else _cut_off(connection, settings, last)
    due = [day for day in (missing, reopened, stale, cut_off) if day is not None]
    return (min(due), last) if due else None


def _cut_off(connection: duckdb.DuckDBPyConnection, settings: Settings, last: date) -> date | None:
    if not table_exists(connection, "raw_meta", "run_days"):
        return None
    begun: date | None = _one(
        connection, "select from_day from raw_meta.run_days where from_day <= $last", {"last": last}
    )
    return begun and max(begun, settings.days.first)


def _windows_from(connection: duckdb.DuckDBPyConnection, from_day: date, to_day: date, facts_from: date | None) -> date:
    """The first day whose rolling windows are missing or outdated, as far back as measures look; else `from_day`."""
    start = from_day - timedelta(days=WINDOW_DAYS)
    if not table_exists(connection, "intermediate", "int_usage__windows"):
        return start
    if facts_from:
        # Later days look back on the facts that change now: they are missing until a run needs them.
        connection.execute("delete from intermediate.int_usage__windows where day > ?", [to_day])
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
    """Key features and the time zone are part of the stored facts: when they change, all facts are built again.

    So they are when the run that first built them did not come to its end.
    """
    if not table_exists(connection, "intermediate", "int_usage__daily"):
        return False
    if not table_exists(connection, "raw_meta", "facts_built"):
        return True
    return bool(_one(connection, "select facts_hash from raw_meta.facts_built") != settings.content_hash)


def _windows_are_outdated(connection: duckdb.DuckDBPyConnection) -> bool:
    """Another version of this project made the stored windows: they may lack columns, or count in another way.

    They follow from the facts, so a run makes those it needs again.
    """
    if not table_exists(connection, "intermediate", "int_usage__windows"):
        return False
    if not table_exists(connection, "raw_meta", "windows_built"):
        return True
    return bool(_one(connection, "select windows_hash from raw_meta.windows_built") != _windows_hash())


def _windows_hash() -> str:
    """12 hex digits over the SQL that makes the windows."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in WINDOW_MODELS)).hexdigest()[:12]


def _repeats_from(settings: Settings, facts_from: date) -> date:
    """The first day on which an earlier copy of an event counts as such; 1970, the first legal day, where all do."""
    days = settings.repeats_days
    return date(1970, 1, 1) if days is None else facts_from - timedelta(days=days)


def _reopen_all_facts(connection: duckdb.DuckDBPyConnection, rebuildable: date | None) -> None:
    """Open every day whose facts can be made again; note those whose raw usage is gone."""
    if rebuildable is not None:
        retention.keep_facts_of_before(connection, rebuildable)
    connection.execute(
        """
        insert into raw_meta.open_days (day, source, entity, opened_at)
        select distinct cast(known_at as date), 'files', 'usage_events', cast(current_timestamp as timestamp)
        from raw_files.usage_events
        where known_at >= $rebuildable
        """,
        {"rebuildable": rebuildable or date.min},
    )
    if table_exists(connection, "intermediate", "int_usage__windows"):
        connection.execute("delete from intermediate.int_usage__windows")


def _write(connection: duckdb.DuckDBPyConnection, days: RunDays) -> None:
    connection.execute(
        """
        create or replace table raw_meta.run_days as
        select $from_day::date as from_day, $to_day::date as to_day, $windows::date as windows_from_day,
               $facts_from::date as facts_from_day, $facts_to::date as facts_to_day,
               $repeats_from::date as repeats_from_day
        """,
        {
            "from_day": days.from_day,
            "to_day": days.to_day,
            "windows": days.windows_from_day,
            "facts_from": days.facts_from_day,
            "facts_to": days.facts_to_day,
            "repeats_from": days.repeats_from_day,
        },
    )


def _one(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, object] | None = None):  # type: ignore[no-untyped-def]
    row = connection.execute(query, parameters or {}).fetchone()
    return row[0] if row else None
