"""Rows of a PostgreSQL database as Parquet files in a folder, from which the files connector reads them as any others.

An extract with a cursor asks only for the rows that are new since the last one, and for those of a look-back that were
not there then; each time it is another file. One without is one file, made again each time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from dagster_project.connectors.object_store import as_regex, write_whole
from dagster_project.connectors.source_files import SourceFileError
from dagster_project.postgresql import DatabaseError, attached, faults_in_words
from dagster_project.warehouse import literal, quoted

if TYPE_CHECKING:
    from dagster_project.settings import FilesSource
    from dagster_project.source_settings import Database, Extract

STATE = ".extracts.json"  # extract to its query, the newest cursor and the number of its files


@dataclass(frozen=True)
class _Reach:
    """How far an extract has come: the newest cursor, as text, and how many files there are."""

    query: str
    cursor: str | None = None
    files: int = 0


def extract_rows(source: FilesSource, patterns: Iterable[str]) -> int:
    """Bring the extracts that the patterns match up to date; returns how many rows were written.

    Raises SourceFileError: no variable, no answer, no permission, a query that PostgreSQL does not understand, rows
    without a cursor.
    """
    database = source.database
    if database is None:
        return 0
    named = extracts_of(source, patterns)
    if not named:
        return 0
    source.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    with _connected(database) as con:
        return sum(_extract(con, source.folder, name, one) for name, one in named.items())


def extracts_of(source: FilesSource, patterns: Iterable[str]) -> dict[str, Extract]:
    """The extracts whose files the patterns match, by name."""
    wanted = re.compile("|".join(f"(?:{as_regex(pattern)})" for pattern in patterns))
    extracts = source.database.extracts if source.database else {}
    return {name: one for name, one in extracts.items() if wanted.fullmatch(_file_name(name, one, 1))}


def try_database(source: FilesSource) -> list[str]:
    """Ask for one row of each extract; a sentence for each. Writes nothing. Raises as `extract_rows`."""
    database = source.database
    if database is None:
        return []
    told = []
    with _connected(database) as con:
        for name, one in database.extracts.items():
            columns = _asked(con, name, f"select * from ({_query(one)}) as rows limit 1").columns
            told.append(f"{name}: {len(columns)} columns")
    return told


def _file_name(name: str, one: Extract, number: int) -> str:
    return f"{name}.parquet" if one.cursor is None else f"{name}/{number:06}.parquet"


def _query(one: Extract) -> str:
    if one.query is not None:
        return one.query.strip().rstrip(";")
    return "select * from " + ".".join(quoted(part) for part in str(one.table).split("."))


@contextmanager
def _connected(database: Database) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with attached(database.url) as con:
            yield con
    except DatabaseError as error:
        raise SourceFileError(str(error)) from None


def _extract(con: duckdb.DuckDBPyConnection, folder: Path, name: str, one: Extract) -> int:
    query, state = _query(one), _state(folder)
    reach = _Reach(**state[name]) if name in state else _Reach(query)
    if reach.query != query:
        reach = _Reach(query, files=reach.files)  # another query: everything is asked for again, into further files
    con.execute("begin")  # one snapshot for all that is asked
    try:
        cursor = None
        if one.cursor is not None:
            cursor = _newest(con, name, query, one.cursor)
            if cursor is None or cursor == reach.cursor:
                return 0
        file = folder / _file_name(name, one, reach.files + 1)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        rows = _write(con, name, _wanted(con, folder, name, one, reach, cursor), file)
    finally:
        con.execute("rollback")
    # A run that is cut off before this line writes the same file again.
    files = reach.files if one.cursor is None else reach.files + (rows > 0)
    write_whole(folder / STATE, json.dumps({**state, name: {"query": query, "cursor": cursor, "files": files}}))
    return rows


def _state(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / STATE
    found: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _newest(con: duckdb.DuckDBPyConnection, name: str, query: str, cursor: str) -> str | None:
    """The newest cursor there is. Raises SourceFileError where rows have none: they would never be read."""
    column = quoted(cursor)
    found = _asked(
        con,
        name,
        f"select max({column})::text as newest, count(*) filter (where {column} is null) as without "
        f"from ({query}) as rows",
    ).fetchone()
    newest, without = found or (None, 0)
    if without:
        raise SourceFileError(
            f"{name}: {without} rows have no {cursor}, and would never be read; name another `cursor`, or fill it in "
            "the query"
        )
    return str(newest) if newest is not None else None


def _wanted(
    con: duckdb.DuckDBPyConnection, folder: Path, name: str, one: Extract, reach: _Reach, newest: str | None
) -> str:
    """SQL for DuckDB of the rows that are wanted."""
    if one.cursor is None or newest is None:
        return f"{_remote(reach.query)} order by all"  # the same rows, the same file
    column, upper = quoted(one.cursor), literal(newest)
    rows = f"select * from ({reach.query}) as rows where {column} <= {upper}"
    if reach.cursor is None:
        return _remote(rows)
    new = _remote(f"{rows} and {column} > {literal(reach.cursor)}")
    if one.look_back_minutes == 0:
        return new
    since = f"({literal(reach.cursor)}::timestamptz - interval '{one.look_back_minutes} minutes')"
    late = _remote(f"{rows} and {column} > {since} and {column} <= {literal(reach.cursor)}")
    before = f"select * from read_parquet({literal(str(folder / name / '*.parquet'))}, union_by_name = true)"
    con.execute(f"create or replace temp table late as {late}")
    con.execute(f"create or replace temp table told as {before} where {column} >= (select min({column}) from late)")
    return f"{new} union all (select * from late except all select * from told)"


def _remote(query: str) -> str:
    return f"select * from postgres_query('pg', {literal(query)})"


def _asked(con: duckdb.DuckDBPyConnection, name: str, query: str) -> Any:
    with faults_in_words(name):
        return con.sql(_remote(query))


def _write(con: duckdb.DuckDBPyConnection, name: str, query: str, file: Path) -> int:
    part = file.with_name(f".{file.name}.part")
    try:
        with faults_in_words(name):
            rows: int = con.execute(
                f"copy ({query}) to {literal(str(part))} (format parquet, compression zstd)"
            ).fetchall()[0][0]
        if rows or file.exists():
            part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return rows
