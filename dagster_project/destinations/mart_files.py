"""Writes the files of a published mart, DuckDB and Parquet by month: only what is new, where the rest can stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from dagster_project.destinations.mart_tables import Day, Table
from dagster_project.warehouse import literal, quoted

MART_SCHEMA = "marts"
PUBLISHED_TABLE = "_published"
STORAGE_VERSION = "v1.0.0"  # opens in DuckDB 1.0 and later
TARGET = "_target"  # the name of the new file while it is written

# A copy of the old file is written to where that is less work; else the file is made anew, which also tidies it.
_MOST_TO_REPLACE = 0.25  # of all rows
_MOST_TO_CARRY = 0.25  # rows that were deleted, against those that live; and free blocks of all


@dataclass(frozen=True)
class Changes:
    """By table the days to write; None: all of it. Tables that are not named are as in the old file."""

    days: dict[str, set[Day] | None]
    gone: tuple[str, ...] = ()

    def touches(self, table: Table, month: str) -> bool:
        """Whether rows of the month have changed."""
        days = self.days.get(table.name, set())
        return days is None or any(month_of(day) == month for day in days)


def changes(old: list[Table], new: list[Table]) -> Changes:
    """What has to be written to make of the old marts the new ones."""
    older = {table.name: table for table in old}
    unlike = {table.name: table.days_unlike(older.get(table.name)) for table in new}
    days = {name: days for name, days in unlike.items() if days is None or days}
    return Changes(days, tuple(older.keys() - unlike.keys()))


def is_worth_patching(connection: duckdb.DuckDBPyConnection, catalog: str, tables: list[Table], what: Changes) -> bool:
    """Whether few rows change, and the old file carries little that is dead."""
    total = sum(table.rows for table in tables)
    replaced = sum(
        rows
        for table in tables
        for day, (rows, _) in table.content.items()
        if table.name in what.days and (what.days[table.name] is None or day in (what.days[table.name] or ()))
    )
    (held,) = connection.execute(
        "select coalesce(sum(estimated_size), 0)::bigint from duckdb_tables() where database_name = ?", [catalog]
    ).fetchone() or (0,)
    blocks, free = connection.execute(
        "select total_blocks, free_blocks from pragma_database_size() where database_name = ?", [catalog]
    ).fetchone() or (0, 0)
    return (
        replaced <= _MOST_TO_REPLACE * total
        and held <= (1 + _MOST_TO_CARRY) * total
        and free <= max(_MOST_TO_CARRY * blocks, 16)
    )


def write_mart(
    connection: duckdb.DuckDBPyConnection,
    source: Callable[[Table], str],
    file: Path,
    tables: list[Table],
    what: Changes | None,
    stamp: Callable[[duckdb.DuckDBPyConnection], None],
) -> None:
    """Leaves the new file attached as TARGET: `file` with the changes made, or written from the start if None.

    `source` gives the relation a table is read from; `stamp` writes what names the content.
    """
    storage = "" if what else f" (storage_version {literal(STORAGE_VERSION)})"
    connection.execute(f"attach {literal(str(file))} as {TARGET}{storage}")
    connection.execute(f"create schema if not exists {TARGET}.{MART_SCHEMA}")
    for name in [PUBLISHED_TABLE, *(what.gone if what else ())]:
        connection.execute(f"drop table if exists {quoted(TARGET, MART_SCHEMA, name)}")
    for table in tables:
        days = what.days.get(table.name, set()) if what else None
        if days is None:
            _write_table(connection, source(table), table)
        elif days:
            _replace_days(connection, source(table), table, days)
    stamp(connection)
    connection.execute(f"checkpoint {TARGET}")


def _write_table(connection: duckdb.DuckDBPyConnection, source: str, table: Table) -> None:
    """A real table, never a view (a view would name the warehouse, which readers do not have), with comments."""
    target = quoted(TARGET, MART_SCHEMA, table.name)
    connection.execute(f"create or replace table {target} as select * from {source} order by {table.order}")
    if table.comment:
        connection.execute(f"comment on table {target} is {literal(table.comment)}")
    for name, _, comment in table.columns:
        if comment:
            connection.execute(f"comment on column {target}.{quoted(name)} is {literal(comment)}")


def _replace_days(connection: duckdb.DuckDBPyConnection, source: str, table: Table, days: set[Day]) -> None:
    target, those = quoted(TARGET, MART_SCHEMA, table.name), of_days(days)
    connection.execute(f"delete from {target} where {those}")
    connection.execute(f"insert into {target} select * from {source} where {those} order by {table.order}")


def of_days(days: set[Day]) -> str:
    """The condition for rows of these days; spans, so that the engine skips the rest without reading it."""
    known = sorted(day for day in days if day is not None)
    spans: list[tuple[date, date]] = []
    for day in known:
        if spans and (day - spans[-1][1]).days == 1:
            spans[-1] = spans[-1][0], day
        else:
            spans.append((day, day))
    conditions = [f"day between date '{first}' and date '{last}'" for first, last in spans]
    conditions += ["day is null"] if None in days else []
    return f"({' or '.join(conditions)})" if conditions else "false"


def month_of(day: Day) -> str:
    """The name of the Parquet file that a day's rows are in; `all` for rows without a day."""
    return "all" if day is None else f"{day:%Y-%m}"


def months(table: Table) -> dict[str, tuple[int, set[Day]]]:
    """By Parquet file the number of its rows, and their days; a table without rows has one file without rows."""
    found: dict[str, tuple[int, set[Day]]] = {}
    for day, (rows, _) in table.content.items():
        before, days = found.get(month_of(day), (0, set()))
        found[month_of(day)] = before + rows, days | {day}
    return found or {"all": (0, set())}


def write_parquet(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: list[Table], what: Changes | None, old: Path
) -> Iterator[Path]:
    """Writes `folder`/TABLE/MONTH.parquet from TARGET, into folders that are there; yields what it has written.

    Months that have not changed are the files in `old`, linked.
    """
    for table in tables:
        for month, (_, days) in months(table).items():
            file, kept = folder / table.name / f"{month}.parquet", old / table.name / f"{month}.parquet"
            if what and not what.touches(table, month) and kept.is_file():
                os.link(kept, file)
                continue
            where = of_days(days) if table.has_days else "true"
            order = f" order by {table.order}" if what else ""  # a file made anew lies in order
            _copy(connection, f"from {quoted(TARGET, MART_SCHEMA, table.name)} where {where}{order}", file)
            yield file
    file = folder / PUBLISHED_TABLE / "all.parquet"
    _copy(connection, f"from {quoted(TARGET, MART_SCHEMA, PUBLISHED_TABLE)}", file)
    yield file


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    connection.execute(f"copy ({query}) to {literal(str(file))} (format parquet, compression zstd)")
