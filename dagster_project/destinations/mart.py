"""Publishes the marts: a DuckDB file and Parquet copies that anyone may read while the pipeline writes.

The folder afterwards:

    mart.duckdb                        tables in schema `marts`: select * from marts.current_health
    parquet/current -> 000007-1f0c...  one Parquet file a table; `current` always points to a whole version
    parquet/000006-..., 000005-...     the two versions before, for readers that are still in them
    .building/                         only while a publish is under way, or after one was killed

Everything is built and checked in `.building` and then put in place by renames, so a reader sees the old mart
or the new one, never a part of one, and a publish that dies at any moment leaves the old mart as it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.destinations.sql import fault, literal, opened, quoted

MART_FILE = "mart.duckdb"
MART_SCHEMA = "marts"
PUBLISHED_TABLE = "_published"
STORAGE_VERSION = "v1.0.0"  # opens in DuckDB 1.0 and later
VERSIONS_KEPT = 3  # the current Parquet version and two before it

# Part of the fingerprint: raise it when the way a mart is written changes, so that the next publish rewrites it.
_LAYOUT = 1
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
# What comes first in a table's order; the rest of its columns follow, so that the order is always total.
_ORDER = ("day", "account_id", "lens", "scorecard_hash", "measure")
_VERSION = re.compile(r"\d{6}-[0-9a-f]{16}")
# Names dbt gives to a table while it swaps it; a killed dbt run may leave one behind.
_NOT_MARTS = ("__dbt_tmp", "__dbt_backup")


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
class _Table:
    """A mart in the warehouse: its columns as (name, type, comment), its rows and a sum of their hashes."""

    name: str
    comment: str | None
    columns: tuple[tuple[str, str, str | None], ...]
    rows: int
    digest: str


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
        tables = _read_tables(con, warehouse, schema)
        fingerprint = _fingerprint(tables)
        counts = {table.name: table.rows for table in tables}
        published = _in_place(folder, fingerprint, tables)
        if published is None:
            _build(con, warehouse.stem, schema, tables, fingerprint, building)
    if published is None:
        _verify(building, tables, limits)
        published = _swap_in(folder, building, fingerprint, counts)
    _prune(folder / "parquet")
    return published


def _read_tables(con: duckdb.DuckDBPyConnection, warehouse: Path, schema: str) -> list[_Table]:
    """Every mart of the schema with its columns, comments, rows and digest; PublishError if there is none."""
    catalog = warehouse.stem
    found = con.execute(
        """
        select table_name, comment from duckdb_tables() where database_name = $catalog and schema_name = $schema
        union all
        select view_name, comment from duckdb_views() where database_name = $catalog and schema_name = $schema
        order by 1
        """,
        {"catalog": catalog, "schema": schema},
    ).fetchall()
    marts = [(name, comment) for name, comment in found if not name.startswith("_") and not name.endswith(_NOT_MARTS)]
    if not marts:
        raise PublishError(
            f"{warehouse}: schema '{schema}' has no tables, so there is nothing to publish; "
            "the run stopped before the marts were built: look at its first failed step, then run it again"
        )
    columns: dict[str, list[tuple[str, str, str | None]]] = {name: [] for name, _ in marts}
    for table, *column in con.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = $catalog and schema_name = $schema order by table_name, column_index",
        {"catalog": catalog, "schema": schema},
    ).fetchall():
        if table in columns:
            columns[table].append((column[0], column[1], column[2]))
    return [
        _Table(name, comment, tuple(columns[name]), *_digest(con, quoted(catalog, schema, name)))
        for name, comment in marts
    ]


def _digest(con: duckdb.DuckDBPyConnection, table: str) -> tuple[int, str]:
    """The number of rows and the sum of their hashes, which is the same in whatever order the rows lie."""
    row = con.execute(f"select count(*), coalesce(sum(hash(t)), 0)::varchar from {table} as t").fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def _fingerprint(tables: list[_Table]) -> str:
    """16 hex digits that name the content: the same marts give the same, whenever they are published."""
    content = [[table.name, table.comment, table.columns, table.rows, table.digest] for table in tables]
    return hashlib.sha256(json.dumps([_LAYOUT, content]).encode()).hexdigest()[:16]


def _build(
    con: duckdb.DuckDBPyConnection, catalog: str, schema: str, tables: list[_Table], fingerprint: str, building: Path
) -> None:
    """Writes the new mart and its Parquet copies into the building folder, each file synced to disk."""
    file = building / MART_FILE
    parquet = building / "parquet"
    _make_folder(parquet)
    con.execute(f"attach {literal(str(file))} as _target (storage_version {literal(STORAGE_VERSION)})")
    con.execute(f"create schema _target.{MART_SCHEMA}")
    for table in tables:
        _copy_table(con, quoted(catalog, schema, table.name), table)
    _stamp(con, tables, fingerprint)
    for name in [*(table.name for table in tables), PUBLISHED_TABLE]:
        target = parquet / f"{name}.parquet"
        con.execute(
            f"copy (from {quoted('_target', MART_SCHEMA, name)}) to {literal(str(target))} "
            "(format parquet, compression zstd)"
        )
        _settle(target)
    con.execute("checkpoint _target")
    con.execute("detach _target")
    _settle(file)
    _sync(parquet)


def _copy_table(con: duckdb.DuckDBPyConnection, source: str, table: _Table) -> None:
    """A real table, never a view (a view would name the warehouse, which readers do not have), with comments."""
    target = quoted("_target", MART_SCHEMA, table.name)
    names = [name for name, _, _ in table.columns]
    order = [name for name in _ORDER if name in names] + [name for name in names if name not in _ORDER]
    con.execute(f"create table {target} as select * from {source} order by {', '.join(map(quoted, order))}")
    if table.comment:
        con.execute(f"comment on table {target} is {literal(table.comment)}")
    for name, _, comment in table.columns:
        if comment:
            con.execute(f"comment on column {target}.{quoted(name)} is {literal(comment)}")


def _stamp(con: duckdb.DuckDBPyConnection, tables: list[_Table], fingerprint: str) -> None:
    """Writes marts._published: one row that says what this mart is. No clock time: same marts, same row."""
    columns = {table.name: {name for name, _, _ in table.columns} for table in tables}
    last_day = "null::date"
    if "day" in columns.get("fct_health_scores", ()):
        last_day = f"(select max(day) from _target.{MART_SCHEMA}.fct_health_scores)"
    scorecards = "null::varchar"
    if {"scorecard_id", "version", "scorecard_hash"} <= columns.get("dim_scorecards", set()):
        scorecards = (
            "(select string_agg(concat_ws(' ', scorecard_id, version, scorecard_hash), '; ' "
            f"order by scorecard_id, version, scorecard_hash) from _target.{MART_SCHEMA}.dim_scorecards)"
        )
    con.execute(
        f"create table _target.{MART_SCHEMA}.{PUBLISHED_TABLE} as select "
        f"{literal(fingerprint)} as content_fingerprint, {last_day} as last_day, {scorecards} as scorecards"
    )


def _verify(building: Path, tables: list[_Table], limits: dict[str, str | int]) -> None:
    """Opens the finished files as a reader would and compares them with the warehouse; PublishError if they differ."""
    with opened(building / MART_FILE, "finished", limits) as con:
        for table in tables:
            rows, digest = _digest(con, quoted("finished", MART_SCHEMA, table.name))
            if rows != table.rows:
                raise PublishError(_mismatch(table.name, f"has {rows} rows, the warehouse has {table.rows}"))
            if digest != table.digest:
                raise PublishError(_mismatch(table.name, "has other values than the warehouse"))
            file = building / "parquet" / f"{table.name}.parquet"
            counted = con.execute(f"select count(*) from read_parquet({literal(str(file))})").fetchone()
            if counted != (table.rows,):
                raise PublishError(_mismatch(f"{table.name}.parquet", f"does not have {table.rows} rows"))


def _mismatch(what: str, how: str) -> str:
    return (
        f"the new mart failed its check and was not put in place: {what} {how}. "
        "Was the disk full, or the warehouse written meanwhile? Run the publish step again"
    )


def _swap_in(folder: Path, building: Path, fingerprint: str, counts: dict[str, int]) -> PublishedMart:
    """Puts the checked files in their places by renames, each of which happens whole or not at all."""
    parquet = folder / "parquet"
    version = f"{_last_number(parquet) + 1:06d}-{fingerprint}"
    os.rename(building / "parquet", parquet / version)
    # Someone who opened the old file for writing may have left a log beside it; DuckDB would replay it on the new one.
    (folder / f"{MART_FILE}.wal").unlink(missing_ok=True)
    os.replace(building / MART_FILE, folder / MART_FILE)
    link = building / "current"
    link.symlink_to(version)
    os.replace(link, parquet / "current")
    _sync(parquet)
    _sync(folder)
    size = (folder / MART_FILE).stat().st_size
    return PublishedMart(folder / MART_FILE, parquet / "current", counts, size, fingerprint, changed=True)


def _in_place(folder: Path, fingerprint: str, tables: list[_Table]) -> PublishedMart | None:
    """The published mart if it has this content already, both as DuckDB and as Parquet; else None."""
    file, current = folder / MART_FILE, folder / "parquet" / "current"
    counts = {table.name: table.rows for table in tables}
    if not file.is_file() or not current.resolve().name.endswith(f"-{fingerprint}"):
        return None
    if any(not (current / f"{name}.parquet").is_file() for name in [*counts, PUBLISHED_TABLE]):
        return None
    try:
        with opened(file, "published", {}) as con:
            stamp = con.execute(f"select content_fingerprint from published.{MART_SCHEMA}.{PUBLISHED_TABLE}").fetchall()
            same = all(
                _digest(con, quoted("published", MART_SCHEMA, table.name)) == (table.rows, table.digest)
                for table in tables
            )
    except duckdb.Error:
        return None  # damaged, or of another make: it is written again
    if stamp != [(fingerprint,)] or not same:
        return None
    return PublishedMart(file, current, counts, file.stat().st_size, fingerprint, changed=False)


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
    _sync(file)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Removes a folder if it is there."""
    if folder.exists():
        shutil.rmtree(folder)
