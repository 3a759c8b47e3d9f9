"""Where exports go beside the local folder: an object store, and a table of a database."""

from __future__ import annotations

import mimetypes
import shutil
from pathlib import Path

from dagster_project.destinations.mart_files import MART_SCHEMA
from dagster_project.export_settings import ExportDatabase
from dagster_project.object_stores import StoreError, faults_in_words, open_store, root_of
from dagster_project.postgresql import DatabaseError, attached
from dagster_project.postgresql import faults_in_words as database_faults
from dagster_project.source_settings import ObjectStore
from dagster_project.warehouse import literal, quoted

CHUNK = 8 * 1024 * 1024
_THERE = "select 1 from duckdb_tables() where database_name = 'pg' and schema_name = $1 and table_name = $2"
_NEEDS = "write its objects (s3:PutObject)"


def upload(store: ObjectStore, file: Path, name: str) -> str:
    """Write a file to the store, under its prefix; returns s3://BUCKET/... of it.

    Readers see the old object or the new. Raises StoreError, with the old object in its place.
    """
    path = f"{root_of(store)}/{name}"
    with faults_in_words(store, "be written", _NEEDS), file.open("rb") as source:
        filesystem = open_store(store)
        with filesystem.open_output_stream(path, metadata={"Content-Type": _types(name)}) as out:
            shutil.copyfileobj(source, out, CHUNK)
        if filesystem.get_file_info(path).size != file.stat().st_size:
            raise StoreError(f"{path} was not written whole; run the export again")
    return f"s3://{path}"


def _types(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def replace_rows(database: ExportDatabase, name: str, mart: Path, table: str, columns: list[str]) -> int:
    """Put the mart's rows in the place of those that the database's table holds; returns how many.

    One transaction: readers see the old rows or the new. A table that is not there is made, and its schema; indexes,
    grants and views on one that is there stay. Raises DatabaseError, also where the table has other columns.
    """
    picked = ", ".join(map(quoted, columns))
    source = f"select {picked} from {quoted('mart', MART_SCHEMA, table)}"
    target = quoted("pg", database.schema_, name)
    needs = f"usage and create on schema {database.schema_}, and insert, select and delete on the table"
    with attached(database.url, writes=True) as con:
        con.execute(f"attach {literal(str(mart))} as mart (read_only)")
        with database_faults(f"{database.schema_}.{name}", needs=needs):
            con.execute("begin")
            if not con.execute(_THERE, [database.schema_, name]).fetchall():
                con.execute(f"create schema if not exists {quoted('pg', database.schema_)}")
                con.execute(f"create table {target} as {source} limit 0")
            found = [row[0] for row in con.execute(f"describe {target}").fetchall()]
            if sorted(found) != sorted(columns):
                raise DatabaseError(_other_columns(f"{database.schema_}.{name}", found, columns))
            con.execute(f"delete from {target}")
            rows: int = con.execute(f"insert into {target} ({picked}) {source}").fetchall()[0][0]
            con.execute("commit")
    return rows


def _other_columns(table: str, found: list[str], wanted: list[str]) -> str:
    missing, more = [name for name in wanted if name not in found], [name for name in found if name not in wanted]
    lacks = f"lacks {', '.join(missing)}" if missing else ""
    has = f"has {', '.join(more)} too" if more else ""
    return (
        f"{table}: the table there {' and '.join(filter(None, (lacks, has)))}; name the columns that it has in "
        "`columns`, or drop it: it is made again"
    )
