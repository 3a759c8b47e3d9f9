"""What has been loaded: the raw tables, the list of files in them, and the days whose facts have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from dagster_project.connectors.source_files import SourceFile, content_hash
from dagster_project.entities import ENTITIES, SQL_TYPES, Entity
from dagster_project.retention import BOOKS
from dagster_project.settings import FileEntity
from dagster_project.warehouse import quoted

SOURCE = "files"
_LOADER_VERSION = 1  # raise it when the same file would now give other rows: every file is then loaded again
_ORIGIN = {
    "account_ref": "varchar",
    "_file": "varchar",
    "_file_id": "bigint",
    "_line": "bigint",
    "_loaded_at": "timestamp",
}
_BOOKS = (
    "create schema if not exists raw_files",
    "create schema if not exists raw_quarantine",
    "create schema if not exists raw_meta",
    """create table if not exists raw_quarantine.rejected_rows (
        source varchar, entity varchar, file varchar, line bigint, column_name varchar, reason varchar, value varchar,
        loaded_at timestamp)""",
    """create table if not exists raw_meta.loaded_files (
        file_id bigint, source varchar, entity varchar, path varchar, content_hash varchar, size_bytes bigint,
        modified_ns bigint, mapping_hash varchar, rows_read bigint, rows_accepted bigint, rows_rejected bigint,
        loaded_at timestamp)""",
    "create table if not exists raw_meta.open_days (day date, source varchar, entity varchar, opened_at timestamp)",
    "create table if not exists raw_meta.scored_days (day date primary key, inputs_hash varchar, scored_at timestamp)",
    *BOOKS,
)


@dataclass(frozen=True)
class Known:
    """A file as the ledger has it."""

    file_id: int
    content_hash: str
    size: int
    modified_ns: int
    mapping_hash: str


@dataclass(frozen=True)
class Fresh:
    """A file to load: new, or changed since (`replaces` is then the id of its old rows)."""

    file: SourceFile
    file_id: int
    content_hash: str
    replaces: int | None


@dataclass(frozen=True)
class Counts:
    """Rows of one loaded file. `read` is always accepted + rejected."""

    accepted: int
    rejected: int

    @property
    def read(self) -> int:
        """All rows of the file."""
        return self.accepted + self.rejected


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of the raw tables: one an entity (empty if unused), the quarantine and the ledger."""
    for statement in _BOOKS:
        con.execute(statement)
    found: dict[str, set[str]] = {}
    for name, column in con.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'raw_files'"
    ).fetchall():
        found.setdefault(name, set()).add(column)
    for entity in ENTITIES.values():
        columns = {name: SQL_TYPES[column.type] for name, column in entity.columns.items()} | _ORIGIN
        if entity.name not in found:
            listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
            con.execute(f"create table if not exists {table(entity)} ({listed})")
            continue
        for name in columns.keys() - found[entity.name]:  # the contract has grown since the table was made
            con.execute(f"alter table {table(entity)} add column {quoted(name)} {columns[name]}")


def table(entity: Entity) -> str:
    """The raw table of an entity."""
    return f"raw_files.{quoted(entity.name)}"


def mapping_hash(entity: Entity, mapping: FileEntity, company_zone: str, source_zone: str) -> str:
    """Of everything besides the file itself that decides its rows: contract, mapping, time zones, this program."""
    rules = mapping.model_dump(mode="json", exclude={"files"})
    content = [_LOADER_VERSION, repr(entity), rules, company_zone, source_zone]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def find_fresh(
    con: duckdb.DuckDBPyConnection,
    entity: Entity,
    files: Sequence[SourceFile],
    mapping: str,
    wanted: Collection[str] = (),
) -> list[Fresh]:
    """The files whose content or mapping is not the loaded one, and those `wanted` by name whatever they hold.

    Same size and time is taken as unchanged, unread.

    A file that was only touched gets its new time noted, so that it is not read again next time.
    """
    known = _known(con, entity)
    again = _losers_of_changed(con, entity, files, known, mapping) | set(wanted)
    next_id = _next_id(con)
    fresh: list[Fresh] = []
    for file in files:
        before = known.get(file.name)
        same_mapping = before is not None and before.mapping_hash == mapping and file.name not in again
        if before and same_mapping and (before.size, before.modified_ns) == (file.size, file.modified_ns):
            continue
        digest = content_hash(file)
        if before and same_mapping and before.content_hash == digest:
            con.execute(
                "update raw_meta.loaded_files set modified_ns = ? where file_id = ?", [file.modified_ns, before.file_id]
            )
            continue
        fresh.append(Fresh(file, next_id + len(fresh), digest, before.file_id if before else None))
    return fresh


def _known(con: duckdb.DuckDBPyConnection, entity: Entity) -> dict[str, Known]:
    rows = con.execute(
        "select path, file_id, content_hash, size_bytes, modified_ns, mapping_hash from raw_meta.loaded_files "
        "where source = ? and entity = ?",
        [SOURCE, entity.name],
    ).fetchall()
    return {path: Known(*rest) for path, *rest in rows}


def _losers_of_changed(
    con: duckdb.DuckDBPyConnection, entity: Entity, files: Sequence[SourceFile], known: dict[str, Known], mapping: str
) -> set[str]:
    """Account files with rows refused as repeats, when any account file has changed: those rows may count now."""
    if entity.name != "accounts":
        return set()
    rows = con.execute(
        "select distinct file from raw_quarantine.rejected_rows where source = ? and entity = ? "
        "and reason like '%repeats (first at %'",
        [SOURCE, entity.name],
    ).fetchall()
    changed = (
        before.mapping_hash != mapping
        or (
            (before.size, before.modified_ns) != (file.size, file.modified_ns)
            and before.content_hash != content_hash(file)
        )
        for file in files
        if (before := known.get(file.name)) is not None
    )
    return {file for (file,) in rows} if rows and any(changed) else set()


def _next_id(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("select coalesce(max(file_id), 0) + 1 from raw_meta.loaded_files").fetchone()
    return int(row[0]) if row else 1


def forget(con: duckdb.DuckDBPyConnection, entity: Entity, fresh: Sequence[Fresh]) -> None:
    """Remove what the changed files' old versions left in quarantine and ledger; `remove_rows` removes their rows."""
    replaced = [file for file in fresh if file.replaces is not None]
    con.execute(
        "delete from raw_quarantine.rejected_rows "
        "where source = ? and entity = ? and file in (select unnest(?::varchar[]))",
        [SOURCE, entity.name, [file.file.name for file in replaced]],
    )
    con.execute(
        "delete from raw_meta.loaded_files where file_id in (select unnest(?::bigint[]))",
        [[file.replaces for file in replaced]],
    )


def remove_rows(con: duckdb.DuckDBPyConnection, entity: Entity, fresh: Sequence[Fresh]) -> None:
    """Remove the rows of the changed files' old versions."""
    replaced = [file.replaces for file in fresh if file.replaces is not None]
    if replaced:
        con.execute(f"delete from {table(entity)} where _file_id in (select unnest(?::bigint[]))", [replaced])


def record(
    con: duckdb.DuckDBPyConnection, entity: Entity, file: Fresh, counts: Counts, *, mapping: str, loaded_at: datetime
) -> None:
    """Note a loaded file. `mapping` is the hash of the rules it was loaded by."""
    found = file.file
    con.execute(
        "insert into raw_meta.loaded_files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            file.file_id, SOURCE, entity.name, found.name, file.content_hash, found.size, found.modified_ns, mapping,
            counts.read, counts.accepted, counts.rejected, loaded_at,
        ],
    )  # fmt: skip


def open_days(
    con: duckdb.DuckDBPyConnection, entity: Entity, fresh: Sequence[Fresh], loaded_at: datetime
) -> tuple[int, date | None]:
    """Note the days whose facts the fresh files changed; returns how many there are and the first.

    Call it while the old rows of changed files still stand beside the new ones. A row that only moved opens nothing.
    """
    names: dict[str, object] = {
        "first_new": min(file.file_id for file in fresh),
        "replaced": [file.replaces for file in fresh if file.replaces is not None],
    }
    days = _changed_days(entity)
    if entity.name == "usage_events":
        days = _usage_days(entity)
        names["replacing"] = [file.file_id for file in fresh if file.replaces is not None]
    con.execute(f"create or replace temp table files_days as {days}", names)
    con.execute(
        "insert into raw_meta.open_days select day, $source, $entity, $at from files_days where day not in "
        "(select day from raw_meta.open_days where source = $source and entity = $entity) order by day",
        {"source": SOURCE, "entity": entity.name, "at": loaded_at},
    )
    row = con.execute("select count(*), min(day) from files_days").fetchone()
    con.execute("drop table files_days")
    return (int(row[0]), row[1]) if row else (0, None)


def _usage_days(entity: Entity) -> str:
    """Days on which events are new or gone. Events never change, so their own day is the only one they touch.

    Rows are compared for replaced files only: hashing every column of a first load would cost as much as loading it.
    """
    day, is_replacing = "cast(known_at as date)", "list_contains($replacing::bigint[], _file_id)"
    return f"""
        select {day} as day from {table(entity)} where _file_id >= $first_new and not {is_replacing}
        union
        select day from (
            select {day} as day, {_fingerprint(entity)} as fingerprint,
                case when _file_id >= $first_new then 1 else -1 end as change
            from {table(entity)} where {is_replacing} or list_contains($replaced::bigint[], _file_id)
        ) group by day, fingerprint having sum(change) <> 0
    """


def _changed_days(entity: Entity) -> str:
    """Days that changed rows touch: those of the times (known, settled) that differ between before and after.

    Compared by key over all files, so that tomorrow's full copy of a table opens only what differs in it. A row that
    changed in other columns alone opens its last known day.
    """
    key = f"hash({', '.join(quoted(name) for name in entity.key)})"
    moments = ", ".join(f"cast({quoted(name)} as date)" for name in ("known_at", *entity.settles))
    is_new, is_old = "_file_id >= $first_new", "list_contains($replaced::bigint[], _file_id)"
    return f"""
        with versions as (
            select {key} as key, {_fingerprint(entity)} as fingerprint, [{moments}] as moments,
                not ({is_new}) as is_before, not ({is_old}) as is_after
            from {table(entity)}
            where {key} in (select {key} from {table(entity)} where {is_new} or {is_old})
        ),
        compared as (
            select key, bool_or(is_before) as was, bool_or(is_after) as stays from versions group by key, fingerprint
        ),
        changed as (select key from compared group by key having bool_or(was <> stays)),
        days as (
            select key, day, bool_or(is_before) as was, bool_or(is_after) as stays
            from (select key, is_before, is_after, unnest(moments) as day from versions semi join changed using (key))
            where day is not null group by key, day
        )
        select day from days where was <> stays
        union
        select max(day) filter (where stays) from days group by key having not bool_or(was <> stays)
    """


def _fingerprint(entity: Entity) -> str:
    """A hash over what the row says, wherever it stands."""
    return f"hash({', '.join(quoted(name) for name in (*entity.columns, 'account_ref'))})"
