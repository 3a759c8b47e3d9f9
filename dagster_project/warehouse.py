"""The one way to open the warehouse and to write tables of our own into it.

DuckDB lets one process write or many read, never both, so nobody but the pipeline opens this file; readers use the
published mart (destinations/mart.py).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from dagster_project.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

LOCK_WAIT_SECONDS = 60.0
# Of a new file: text is written in a third less time than in DuckDB's default, which programs of 2024 open, too.
STORAGE_VERSION = "v1.4.0"


class WarehouseLockedError(Exception):
    """Another process has held the warehouse for too long."""


@contextmanager
def open_warehouse(settings: Settings, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for writing, and close it on every path.

    Waits while another process holds the file. After `wait_seconds` raises WarehouseLockedError, which names it.
    """
    settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connect(settings, wait_seconds)
    try:
        connection.execute("set temp_directory = ?", [str(settings.home / "tmp")])
        yield connection
    finally:
        connection.close()


def _connect(settings: Settings, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.warehouse.memory_limit,
        "threads": settings.warehouse.threads,
        "storage_compatibility_version": STORAGE_VERSION,
    }
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(settings.warehouse_path), config=config)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise WarehouseLockedError(_locked(settings, error)) from error
            time.sleep(0.2)


def _locked(settings: Settings, error: duckdb.IOException) -> str:
    holder = re.search(r"PID (\d+)", str(error))
    who = f"process {holder[1]}" if holder else "another process"
    return (
        f"{settings.warehouse_path} is held by {who}. Only the pipeline may open it: wait for that run to end, or "
        f"close the program. To look at the data, open {settings.mart_folder / 'mart.duckdb'} instead."
    )


def replace_tables(connection: duckdb.DuckDBPyConnection, schema: str, tables: Mapping[str, pa.Table]) -> None:
    """Replace whole tables of `schema` in one transaction; all or nothing."""
    connection.execute("begin")
    try:
        connection.execute(f"create schema if not exists {quoted(schema)}")
        for name, table in tables.items():
            connection.register("replacing", table)
            connection.execute(f"create or replace table {quoted(schema)}.{quoted(name)} as select * from replacing")
            connection.unregister("replacing")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def quoted(*names: str) -> str:
    """An SQL identifier, quoted; several parts are joined by dots."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as SQL, for the few places (attach, copy, comment, keys of structs) where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def sync(path: Path) -> None:
    """Wait until a file, or what a folder says is in it, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether the warehouse has this table or view."""
    found = connection.execute(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return bool(found and found[0])
