"""Makes the warehouse file small again when most of it is free: its live data is copied to a new file, swapped in.

DuckDB uses free blocks again but gives only those at the file's end back to the disk, so a file stays as large as its
largest day: a first load, a backfill, the usage that retention dropped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.settings import Settings
from dagster_project.warehouse import STORAGE_VERSION, literal, open_warehouse, quoted, sync

FREE_SHARE = 0.5  # of the file, from which on it is copied: so it is at most about twice what it holds
SMALL_BYTES = 256 * 2**20  # a file below this is left alone
_NEW = "warehouse.compacting"
_CATALOG = (  # what a copy must have like the original, apart from its rows
    "select schema_name, table_name, comment, sql from duckdb_tables() where database_name = $name",
    "select schema_name, view_name, comment, sql from duckdb_views() where database_name = $name and not internal",
    "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() where database_name = $name "
    "and not internal",
)


class CompactionError(Exception):
    """The copy is not like the original; the warehouse is as it was."""


@dataclass(frozen=True)
class Compacted:
    """Bytes of the file before and after."""

    before: int
    after: int


def compact(settings: Settings, small: int = SMALL_BYTES) -> Compacted | None:
    """Copy the warehouse to a new file and swap it in, if FREE_SHARE of it or more is free; else do nothing.

    Call it where the run holds the warehouse, with no connection open. A crash at any moment leaves the old file or
    the new one, whole. Raises CompactionError, or duckdb's error (a full disk), with the old file in its place.
    """
    new, file = settings.home / _NEW, settings.warehouse_path
    _remove(new)  # of a run that was killed here
    before = file.stat().st_size
    if before < small or _free_share(settings) < FREE_SHARE:
        return None
    limits: dict[str, str | int] = {
        "memory_limit": settings.warehouse.memory_limit,
        "threads": settings.warehouse.threads,
    }
    try:
        with duckdb.connect(config={**limits}) as con:
            con.execute("set temp_directory = ?", [str(settings.home / "tmp")])
            # By the name that views give to their database, and held until the new file is in place: no writer between.
            con.execute(f"attach {literal(str(file))} as {quoted(file.stem)} (read_only)")
            con.execute(f"attach {literal(str(new))} as compacted (storage_version {literal(STORAGE_VERSION)})")
            con.execute(f"copy from database {quoted(file.stem)} to compacted")
            con.execute("checkpoint compacted")
            _compare(con, file.stem)
            con.execute("detach compacted")
            sync(new)
            os.replace(new, file)
            sync(file.parent)
    finally:
        _remove(new)
    return Compacted(before, file.stat().st_size)


def _free_share(settings: Settings) -> float:
    with open_warehouse(settings) as con:
        con.execute("checkpoint")
        row = con.execute("select free_blocks / greatest(total_blocks, 1) from pragma_database_size()").fetchone()
    return float(row[0]) if row else 0.0


def _compare(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Refuse a copy that lacks a table, view, comment, constraint or row."""
    for query in _CATALOG:
        was, is_now = (
            sorted(con.execute(query, {"name": database}).fetchall(), key=repr) for database in (name, "compacted")
        )
        if was != is_now:
            raise CompactionError(f"The copy of the warehouse lacks or changes {_first_difference(was, is_now)}.")
    for schema, table in con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [name]
    ).fetchall():
        counts = [
            con.execute(f"select count(*) from {quoted(database)}.{quoted(schema)}.{quoted(table)}").fetchone()
            for database in (name, "compacted")
        ]
        if counts[0] != counts[1]:
            raise CompactionError(f"The copy of {schema}.{table} has {counts[1]} rows, the warehouse {counts[0]}.")


def _first_difference(was: list[tuple[object, ...]], is_now: list[tuple[object, ...]]) -> str:
    return next((repr(row[:3]) for row in [*was, *is_now] if (row in was) != (row in is_now)), "something")


def _remove(new: Path) -> None:
    for path in (new, new.with_name(f"{new.name}.wal")):
        path.unlink(missing_ok=True)
