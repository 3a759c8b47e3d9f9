"""A published mart's table for people and systems that do not speak DuckDB: as files here or in a store, or a table."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.destinations.excel import ROWS_AT_MOST, write_workbook
from dagster_project.destinations.export_places import replace_rows, upload
from dagster_project.destinations.mart_files import MART_SCHEMA
from dagster_project.destinations.sql import fault, opened
from dagster_project.export_settings import FOLDER, Destinations, Export
from dagster_project.object_stores import StoreError
from dagster_project.postgresql import DatabaseError
from dagster_project.warehouse import literal, quoted

FORMATS = ("csv", "parquet", "jsonl", "xlsx")
_OPTIONS = {
    "csv": "format csv, header, new_line '\\r\\n'",
    "parquet": "format parquet, compression zstd",
    "jsonl": "format json, array false",
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# What a spreadsheet runs: = + - @ and their full-width and look-alike forms. Blanks, invisible characters and
# quotes before them do not help, since programs that import CSV strip them.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
_SKIPPED = "[\\s\\p{Z}\\p{C}\"'`´‘’‚“”„«»＂＇]*"
# At the start of a cell; also after a semicolon, tab or line break inside it, where a program that was told
# (or whose country's setting says) that this is the separator starts a new cell in spite of the quotes.
# A leading tab or line break is guarded whatever follows.
_FORMULA = f"(^|[;\\t\\r\\n])({_SKIPPED}[{_SIGNS}])|^([\\t\\r\\n])"
_NUMBERS_AND_TIMES = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL|FLOAT|DOUBLE|BOOLEAN|DATE|TIME|INTERVAL|UUID)"
)


class ExportError(Exception):
    """An export could not be written; the message says why, and which names are legal."""


@dataclass(frozen=True)
class WrittenFile:
    """One exported file (or object, or table) and its number of rows, a header not counted."""

    path: Path | str
    rows: int


def send_export(mart: Path, export: Export, destinations: Destinations, folder: Path) -> list[WrittenFile]:
    """Write the export where it goes: to `folder`, to a store, or to a database.

    Raises ExportError: what `write_export` refuses, and a store or database that does not take it.
    """
    given = (export.table, export.formats, export.columns)
    if export.to == FOLDER:
        return write_export(mart, folder, export.name, *given)
    try:
        if export.to in destinations.databases:
            columns = list(export.columns or columns_of(mart, export.table))
            database = destinations.databases[export.to]
            rows = replace_rows(database, export.name, mart, export.table, columns)
            return [WrittenFile(f"{database.schema_}.{export.name}", rows)]
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        with tempfile.TemporaryDirectory(prefix=".sending-", dir=folder) as scratch:
            files = write_export(mart, Path(scratch), export.name, *given)
            store = destinations.stores[export.to]
            return [WrittenFile(upload(store, Path(file.path), Path(file.path).name), file.rows) for file in files]
    except (StoreError, DatabaseError) as error:
        raise ExportError(f"export '{export.name}' to {export.to}: {error}") from error


def columns_of(mart: Path, table: str) -> list[str]:
    """The columns of a table of the published mart, in order. Raises ExportError where there is none."""
    if not mart.is_file():
        raise ExportError(f"{mart}: there is no published mart to export from; run the pipeline first (make run)")
    with opened(mart, "mart", {}) as con:
        return list(_columns(con, mart, table))


def write_export(
    mart: Path, folder: Path, name: str, table: str, formats: Sequence[str], columns: Sequence[str] | None = None
) -> list[WrittenFile]:
    """Writes `table` of the published mart to `folder/<name>.<format>`, one file a format, in the mart's row order.

    `columns` picks and orders the columns; all of them if None. CSV is UTF-8 with a header, as RFC 4180 says; text
    that a spreadsheet would run as a formula gets an apostrophe in front. Each file is replaced at once, so a reader
    never sees half of one. Raises ExportError for an unknown table, column or format, or a mart that cannot be read.
    """
    _check(name, "export name", _NAME.fullmatch(name) is not None, "letters, digits, '_', '-' and '.'")
    for each in formats:
        _check(each, "export format", each in FORMATS, ", ".join(FORMATS))
    if not mart.is_file():
        raise ExportError(f"{mart}: there is no published mart to export from; run the pipeline first (make run)")
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        with opened(mart, "mart", {}) as con:
            types = _columns(con, mart, table)
            chosen = list(types) if columns is None else list(columns)
            for column in chosen:
                _check(column, f"column of {table}", column in types, ", ".join(types), list(types))
            return [_write(con, folder / f"{name}.{each}", table, chosen, types, each) for each in formats]
    except duckdb.Error as error:
        raise ExportError(f"export '{name}' of {table}: {fault(error)}") from error


def _check(given: str, what: str, legal: bool, allowed: str, near: Sequence[str] = ()) -> None:
    """Raises ExportError naming what is legal, and the nearest name where one is near."""
    if not legal:
        close = difflib.get_close_matches(given, near, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ExportError(f"'{given}' is not a legal {what}; {hint}legal: {allowed}")


def _columns(con: duckdb.DuckDBPyConnection, mart: Path, table: str) -> dict[str, str]:
    """The table's columns and their types, in order."""
    rows = con.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'mart' and schema_name = $schema order by table_name, column_index",
        {"schema": MART_SCHEMA},
    ).fetchall()
    tables = sorted({row[0] for row in rows if not row[0].startswith("_")})
    _check(table, f"table of {mart.name}", table in tables, ", ".join(tables), tables)
    return {column: kind for name, column, kind in rows if name == table}


def _write(
    con: duckdb.DuckDBPyConnection, file: Path, table: str, chosen: list[str], types: dict[str, str], kind: str
) -> WrittenFile:
    """Writes one file beside its place, then swaps it in."""
    picked = ", ".join(_harmless(column, types[column]) if kind == "csv" else quoted(column) for column in chosen)
    query = f"select {picked} from {quoted('mart', MART_SCHEMA, table)}"
    if kind == "xlsx":
        (count,) = con.execute(f"select count(*) from ({query})").fetchone() or (0,)
        if count > ROWS_AT_MOST:
            raise ExportError(
                f"{file.name}: {count:,} rows are more than a sheet can hold ({ROWS_AT_MOST:,}); export {table} as csv "
                "or parquet"
            )
    for leftover in file.parent.glob(f".{file.name}.*.part"):
        leftover.unlink(missing_ok=True)  # of an export that was killed
    descriptor, made = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
    os.close(descriptor)
    part = Path(made)
    try:
        if kind == "xlsx":
            rows = write_workbook(con.execute(query), table, part)
        else:
            rows = con.execute(f"copy ({query}) to {literal(made)} ({_OPTIONS[kind]})").fetchall()[0][0]
        part.chmod(0o640)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return WrittenFile(file, rows)


def _harmless(column: str, kind: str) -> str:
    """SQL for a CSV cell that no spreadsheet runs: numbers, dates and booleans as they are, text guarded.

    A text that begins with something runnable gets an apostrophe in front; runnable text behind a separator
    inside the cell gets it there.
    """
    name = quoted(column)
    if _NUMBERS_AND_TIMES.match(kind) and not kind.endswith("]"):
        return name
    return f"regexp_replace({name}::varchar, {literal(_FORMULA)}, '\\1''\\2\\3', 'g') as {name}"
