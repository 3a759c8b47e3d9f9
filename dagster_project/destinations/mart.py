"""Publishes the marts: a DuckDB file and Parquet copies that anyone may read while the pipeline writes.

The folder afterwards:

    mart.duckdb                        tables in schema `marts`: select * from marts.current_health
    parquet/current -> 000007-1f0c...  a folder a table, in it a file a month of days, or all.parquet; `current` always
                                       points to a whole version
    parquet/000006-..., 000005-...     the two versions before, for readers that are still in them
    .building/                         only while a publish is under way, or after one was killed

Everything is built and checked in `.building` and then put in place by renames, so a reader sees the old mart
or the new one, never a part of one, and a publish that dies at any moment leaves the old mart as it was.

Where few days have changed since the last publish, the new file is a copy of the old with those days replaced, and the
Parquet files of the other months are the old ones, linked.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree

import duckdb

from dagster_project.destinations.mart_files import (
    MART_SCHEMA,
    PUBLISHED_TABLE,
    TARGET,
    Changes,
    changes,
    is_worth_patching,
    months,
    of_days,
    write_mart,
    write_parquet,
)
from dagster_project.destinations.mart_tables import Table, content_of, fingerprint, read_tables
from dagster_project.destinations.sql import fault, opened
from dagster_project.warehouse import literal, quoted, sync

MART_FILE = "mart.duckdb"
VERSIONS_KEPT = 3  # the current Parquet version and two before it

# Part of the fingerprint: raise it when the way a mart is written changes, so that the next publish rewrites it.
_LAYOUT = 2
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_VERSION = re.compile(r"\d{6}-[0-9a-f]{16}")


class PublishError(Exception):
    """The marts could not be published; the message says why and what to do. The old mart is untouched."""


@dataclass(frozen=True)
class PublishedMart:
    """What is in place after a publish.

    `tables` counts rows by mart; `bytes` is the size of the DuckDB file; `fingerprint` identifies the content (the
    same marts give the same one); `changed` is False when that content was in place already and nothing was written.
    """

    path: Path
    parquet_folder: Path
    tables: dict[str, int]
    bytes: int
    fingerprint: str
    changed: bool


@dataclass(frozen=True)
class _Published:
    """What is in place: the content's fingerprint, its tables, and whether the file is worth patching by `changes`."""

    fingerprint: str
    tables: list[Table]
    changes: Changes
    is_worth_patching: bool


def publish_mart(
    warehouse: Path, folder: Path, schema: str = MART_SCHEMA, *, memory_limit: str = "1GB", threads: int = 2
) -> PublishedMart:
    """Copies every mart of `schema` in the warehouse to `folder` and swaps it in; readers never wait.

    The warehouse is opened read-only. Content that is in place already is not written again. Raises PublishError
    when the warehouse cannot be read, has no marts, another publish is under way, or the copy fails its check.
    """
    if not warehouse.is_file():
        raise PublishError(f"{warehouse}: there is no warehouse to publish; run the pipeline first (make run)")
    _make_folder(folder)
    _make_folder(folder / "parquet")
    building = folder / ".building"
    with _only_publish(folder):
        _remove(building)
        _make_folder(building)
        try:
            return _publish(warehouse, folder, building, schema, {"memory_limit": memory_limit, "threads": threads})
        except duckdb.Error as error:
            raise PublishError(f"{warehouse}: the marts were not published: {fault(error)}") from error
        finally:
            _remove(building)


def _publish(warehouse: Path, folder: Path, building: Path, schema: str, limits: dict[str, str | int]) -> PublishedMart:
    """Builds, checks and swaps; see publish_mart."""
    # Without a place of its own DuckDB spills sorts to a folder `.tmp` wherever the process was started.
    limits = {**limits, "temp_directory": str(building / "spill")}
    # Views written by dbt name their database, so it goes by the same name here: the file's stem.
    with opened(warehouse, warehouse.stem, limits) as con:
        tables = read_tables(con, warehouse.stem, schema)
        if not tables:
            raise PublishError(
                f"{warehouse}: schema '{schema}' has no tables, so there is nothing to publish; "
                "the run stopped before the marts were built: look at its first failed step, then run it again"
            )
        content = fingerprint(_LAYOUT, tables)
        old = _in_place(folder, tables)
        is_new = old is None or old.fingerprint != content or bool(old.changes.days or old.changes.gone)
        what = old.changes if old is not None and old.is_worth_patching else None
        if is_new:
            _build(con, warehouse.stem, schema, tables, content, folder, what)
    if is_new:
        _verify(building, tables, what, limits)
        _swap_in(folder, building, content)
    _prune(folder / "parquet")
    counts = {table.name: table.rows for table in tables}
    file = folder / MART_FILE
    return PublishedMart(file, folder / "parquet" / "current", counts, file.stat().st_size, content, changed=is_new)


def _in_place(folder: Path, tables: list[Table]) -> _Published | None:
    """What is published, and what `tables` change in it; None if it is absent, damaged, or not whole."""
    current = folder / "parquet" / "current"
    if not (folder / MART_FILE).is_file() or not current.is_symlink():
        return None
    try:
        with opened(folder / MART_FILE, "published", {}) as con:
            (stamp,) = con.execute(
                f"select content_fingerprint from published.{MART_SCHEMA}.{PUBLISHED_TABLE}"
            ).fetchone() or (None,)
            older = read_tables(con, "published", MART_SCHEMA)
            what = changes(older, tables)
            is_worth = is_worth_patching(con, "published", tables, what)
    except duckdb.Error:
        return None  # damaged, or of another make: it is written again
    files = [current / table.name / f"{month}.parquet" for table in older for month in months(table)]
    is_whole = current.resolve().name.endswith(f"-{stamp}") and all(file.is_file() for file in files)
    if not is_whole or stamp != fingerprint(_LAYOUT, older):
        return None
    return _Published(stamp, older, what, is_worth)


def _build(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, tables: list[Table], content: str, folder: Path,
    what: Changes | None,
) -> None:  # fmt: skip
    """Writes the new mart and its Parquet copies into the building folder, each file synced to disk."""
    file, parquet = folder / ".building" / MART_FILE, folder / ".building" / "parquet"
    if what:
        copyfile(folder / MART_FILE, file)
    write_mart(
        con,
        lambda table: quoted(catalog, schema, table.name),
        file,
        tables,
        what,
        lambda connection: _stamp(connection, tables, content),
    )
    for folder_of_table in (
        parquet,
        *(parquet / name for name in [*(table.name for table in tables), PUBLISHED_TABLE]),
    ):
        _make_folder(folder_of_table)
    for written in write_parquet(con, parquet, tables, what, folder / "parquet" / "current"):
        _settle(written)
    con.execute(f"detach {TARGET}")
    _settle(file)
    for folder_of_table in parquet.iterdir():
        sync(folder_of_table)
    sync(parquet)


def _stamp(con: duckdb.DuckDBPyConnection, tables: list[Table], content: str) -> None:
    """Writes marts._published: one row that says what this mart is. No clock time: same marts, same row."""
    columns = {table.name: {name for name, _, _ in table.columns} for table in tables}
    last_day = "null::date"
    if "day" in columns.get("fct_health_scores", ()):
        last_day = f"(select max(day) from {TARGET}.{MART_SCHEMA}.fct_health_scores)"
    scorecards = "null::varchar"
    if {"scorecard_id", "version", "scorecard_hash"} <= columns.get("dim_scorecards", set()):
        scorecards = (
            "(select string_agg(concat_ws(' ', scorecard_id, version, scorecard_hash), '; ' "
            f"order by scorecard_id, version, scorecard_hash) from {TARGET}.{MART_SCHEMA}.dim_scorecards)"
        )
    con.execute(
        f"create table {TARGET}.{MART_SCHEMA}.{PUBLISHED_TABLE} as select "
        f"{literal(content)} as content_fingerprint, {last_day} as last_day, {scorecards} as scorecards"
    )


def _verify(building: Path, tables: list[Table], what: Changes | None, limits: dict[str, str | int]) -> None:
    """Opens the finished files as a reader would and compares them with the warehouse; PublishError if they differ.

    Of a file that was patched, the rows of every table and the values of the days that were replaced.
    """
    with opened(building / MART_FILE, "finished", limits) as con:
        for table in tables:
            relation = quoted("finished", MART_SCHEMA, table.name)
            (rows,) = con.execute(f"select count(*) from {relation}").fetchone() or (0,)
            if rows != table.rows:
                raise PublishError(_mismatch(table.name, f"has {rows} rows, the warehouse has {table.rows}"))
            days = what.days.get(table.name, set()) if what else None
            wanted = {day: of for day, of in table.content.items() if days is None or day in days}
            where = "true" if days is None else of_days(days)
            if content_of(con, relation, table, where) != wanted:
                raise PublishError(_mismatch(table.name, "has other values than the warehouse"))
            for month, (expected, _) in months(table).items():
                file = building / "parquet" / table.name / f"{month}.parquet"
                (rows,) = con.execute(f"select count(*) from read_parquet({literal(str(file))})").fetchone() or (0,)
                if rows != expected:
                    raise PublishError(_mismatch(f"{table.name}/{month}.parquet", f"does not have {expected} rows"))


def _mismatch(what: str, how: str) -> str:
    return (
        f"the new mart failed its check and was not put in place: {what} {how}. "
        "Was the disk full, or the warehouse written meanwhile? Run the publish step again"
    )


def _swap_in(folder: Path, building: Path, content: str) -> None:
    """Puts the checked files in their places by renames, each of which happens whole or not at all."""
    parquet = folder / "parquet"
    version = f"{_last_number(parquet) + 1:06d}-{content}"
    os.rename(building / "parquet", parquet / version)
    # Someone who opened the old file for writing may have left a log beside it; DuckDB would replay it on the new one.
    (folder / f"{MART_FILE}.wal").unlink(missing_ok=True)
    os.replace(building / MART_FILE, folder / MART_FILE)
    current = parquet / "current"
    if not current.is_symlink():
        _remove(current)  # a folder, where everything was copied without its links
    link = building / "current"
    link.symlink_to(version)
    os.replace(link, current)
    sync(parquet)
    sync(folder)


def _last_number(parquet: Path) -> int:
    """The number of the newest Parquet version, 0 before the first."""
    return max((int(path.name[:6]) for path in parquet.iterdir() if _VERSION.fullmatch(path.name)), default=0)


def _prune(parquet: Path) -> None:
    """Removes versions older than those kept, and newer ones that a killed publish did not come to point at."""
    current = (parquet / "current").resolve().name
    versions = sorted(path.name for path in parquet.iterdir() if _VERSION.fullmatch(path.name))
    kept = [name for name in versions if name <= current][-VERSIONS_KEPT:]
    for name in versions:
        if name not in kept:
            _remove(parquet / name)


@contextmanager
def _only_publish(folder: Path) -> Iterator[None]:
    """Holds the folder against a second publish; the kernel lets go of it when the process dies."""
    with open(folder / ".publish.lock", "a", opener=lambda path, flags: os.open(path, flags, _FILE_MODE)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PublishError(f"{folder}: another publish is under way; wait until it has ended") from None
        yield


def _make_folder(folder: Path) -> None:
    """Makes the folder with our permissions; one that exists keeps those its owner gave it."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(_FOLDER_MODE)


def _settle(file: Path) -> None:
    """Gives a finished file its permissions and waits until it is on disk."""
    file.chmod(_FILE_MODE)
    sync(file)


def _remove(folder: Path) -> None:
    """Removes a folder if it is there."""
    if folder.exists():
        rmtree(folder)
