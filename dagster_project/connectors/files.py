"""The `files` connector: CSV, JSON lines and Parquet into `raw_files.*`.

    prepare(connection)
    result = load_entity(connection, settings, "tickets", loaded_at)

DuckDB reads the files; this program decides which are new, what a row must keep to, and where the faulty ones go. An
entity is loaded in one transaction: all of its fresh files, or nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from dagster_project import retention
from dagster_project.connectors import ledger, quarantine
from dagster_project.connectors.casts import Clocks
from dagster_project.connectors.contract import through
from dagster_project.connectors.database import extract_rows
from dagster_project.connectors.json_lines import json_keys, mapped_columns
from dagster_project.connectors.ledger import Counts, Fresh, prepare
from dagster_project.connectors.object_store import copy_objects
from dagster_project.connectors.readers import Incoming, examine
from dagster_project.connectors.source_files import SourceFile, SourceFileError, find_files
from dagster_project.connectors.staging import Stage, Staged
from dagster_project.entities import ENTITIES, Entity
from dagster_project.retention import ReadAgain
from dagster_project.run_days import newest_scored
from dagster_project.scorecards.rests_on import told
from dagster_project.settings import FileEntity, Settings
from dagster_project.warehouse import quoted

__all__ = ["LoadResult", "SourceFileError", "load_entity", "prepare"]

BATCH_FILES = 1_000  # read by one statement
FILES_LOOKED_INTO = 5  # for what their columns tell; the others are alike


@dataclass(frozen=True)
class LoadResult:
    """What one load did. Rows and reasons are of the files loaded now; rows_read is rows_accepted + rows_rejected.

    `open_from` is the first day whose facts this load changed. `warnings` are sentences for a person;
    `unmapped` the columns of the first files loaded now that the mapping does not use.
    """

    files_found: int = 0
    files_loaded: int = 0
    files_unchanged: int = 0
    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    days_opened: int = 0
    open_from: date | None = None
    warnings: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()


@dataclass
class _Load:
    """One attempt to load an entity's fresh files."""

    con: duckdb.DuckDBPyConnection
    settings: Settings
    entity: Entity
    mapping: FileEntity
    mapping_hash: str
    loaded_at: datetime
    again: ReadAgain
    kept_from: date | None = None  # older rows are not stored: raw usage of before has been dropped
    counts: dict[int, Counts] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)


def load_entity(con: duckdb.DuckDBPyConnection, settings: Settings, entity: str, loaded_at: datetime) -> LoadResult:
    """Load the new and changed files of one entity; a changed file replaces its own rows, a vanished one keeps them.

    `loaded_at` is stamped on every row and file. Call `prepare` first, and hold no transaction.
    Raises SourceFileError, with nothing changed, when a file cannot be read at all, or accounts have no file.
    """
    source = settings.sources.files
    if source is None or entity not in source.entities:
        return LoadResult()
    contract, mapping = ENTITIES[entity], source.entities[entity]
    copy_objects(source, mapping.files)
    extract_rows(source, mapping.files)
    files = find_files(source, mapping)
    if not files:
        missing = f"no file matches {', '.join(mapping.files)} in {source.folder}"
        if entity == "accounts":
            raise SourceFileError(
                f"accounts: {missing}; correct `files:` or the folder: without accounts there is nobody to score"
            )
        return LoadResult(warnings=(missing,))
    clocks = Clocks(settings.timezone, source.timezone or settings.timezone)
    rules = ledger.mapping_hash(contract, mapping, clocks.company, clocks.source)
    again = ReadAgain()
    if entity == retention.ENTITY:
        again = retention.read_again(con, settings, newest_scored(con), {file.name for file in files})
    fresh = ledger.find_fresh(con, contract, files, rules, again.files)
    unchanged = len(files) - len(fresh)
    if not fresh:
        return LoadResult(files_found=len(files), files_unchanged=unchanged)
    work = _Load(con, settings, contract, mapping, rules, loaded_at, again)
    if entity == retention.ENTITY:
        work.kept_from = again.from_day if again.files else retention.first_kept(con)
    scratch_home = settings.home if settings.home.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="files-", dir=scratch_home) as scratch:
        incoming = examine(con, fresh, mapping, Path(scratch))
        stage = Stage(con, contract, mapping, clocks, Path(scratch))
        try:
            staged = [stage.read(batch) for batch in _batches(incoming)]
            _refuse_moving(fresh)
            opened = _store_all(work, fresh, staged)
        finally:
            stage.clear()
        warnings, unmapped = _warnings(work, incoming), _unmapped(work, incoming)
    accepted = sum(count.accepted for count in work.counts.values())
    rejected = sum(count.rejected for count in work.counts.values())
    return LoadResult(
        files_found=len(files),
        files_loaded=len(fresh),
        files_unchanged=unchanged,
        rows_read=accepted + rejected,
        rows_accepted=accepted,
        rows_rejected=rejected,
        rejected_by_reason=dict(sorted(work.reasons.items(), key=lambda item: (-item[1], item[0]))),
        days_opened=opened[0],
        open_from=opened[1],
        warnings=warnings,
        unmapped=unmapped,
    )


def _batches(incoming: Sequence[Incoming]) -> Iterator[list[Incoming]]:
    """Files of one shape together, by name; not more than DuckDB should hold open at once."""
    shapes: dict[object, list[Incoming]] = {}
    for one in incoming:
        shapes.setdefault(one.shape, []).append(one)
    for files in shapes.values():
        for start in range(0, len(files), BATCH_FILES):
            yield files[start : start + BATCH_FILES]


def _store_all(work: _Load, fresh: Sequence[Fresh], batches: Sequence[Staged]) -> tuple[int, date | None]:
    """Bring staged batches into the tables, in one transaction; returns the number of days opened and the first."""
    con, entity = work.con, work.entity
    replaced = [file.replaces for file in fresh if file.replaces is not None]
    con.execute("begin")
    try:
        ledger.forget(con, entity, fresh)
        if work.again.files and work.again.from_day:
            retention.take_back(con, [one.replaces for one in fresh if one.replaces], work.again.from_day)
        for staged in batches:
            if entity.name == "accounts":
                quarantine.mark_repeated_accounts(con, entity, staged, replaced)
            _store(work, staged)
        opened = ledger.open_days(con, entity, fresh, work.loaded_at)
        ledger.remove_rows(con, entity, fresh)
        if work.kept_from is not None:
            retention.note_news(con, work.settings, [(one.file_id, one.replaces) for one in fresh], work.loaded_at)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return opened


def _store(work: _Load, staged: Staged) -> None:
    """Sound rows to the raw table, the others to quarantine, and the files to the ledger."""
    con, entity, kept = work.con, work.entity, work.kept_from
    columns = ", ".join(quoted(name) for name in entity.columns)
    con.execute(
        f"insert into {ledger.table(entity)} ({columns}, account_ref, _file, _file_id, _line, _loaded_at) "
        f"select {columns}, $through::varchar, _file, _file_id, _line, $at::timestamp "
        f"from {staged.lines} where _fault is null" + (f" and known_at >= date '{kept}'" if kept else ""),
        {"through": through(work.mapping), "at": work.loaded_at},
    )
    if kept:
        retention.account_for_old_rows(con, staged.lines, through(work.mapping), kept)
    found = quarantine.set_rows_aside(con, entity, staged, work.loaded_at)
    rows = con.execute(
        f"select _path, count(*) filter (where _fault is null), count(_fault) from {staged.table} group by _path"
    ).fetchall()
    staged_counts = {path: (accepted, faulty) for path, accepted, faulty in rows}
    for one in staged.files:
        if one.faults:
            _add(found, quarantine.set_lines_aside(con, entity, one.name, one.faults, work.loaded_at))
        accepted, faulty = staged_counts.get(one.path, (0, 0))
        counts = Counts(accepted, faulty + len(one.faults))
        work.counts[one.fresh.file_id] = counts
        ledger.record(con, entity, one.fresh, counts, mapping=work.mapping_hash, loaded_at=work.loaded_at)
    _add(work.reasons, found)


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for reason, count in more.items():
        total[reason] = total.get(reason, 0) + count


def _refuse_moving(fresh: Sequence[Fresh]) -> None:
    """A file that was written to while it was read may have come in torn."""
    for file in fresh:
        now = _stat(file.file)
        if now != (file.file.size, file.file.modified_ns):
            raise SourceFileError(
                f"{file.file.name}: changed while it was being read; run again when it has been written"
            )


def _stat(file: SourceFile) -> tuple[int, int] | None:
    try:
        stat = file.path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _warnings(work: _Load, incoming: Sequence[Incoming]) -> tuple[str, ...]:
    """What a person should look at although nothing broke."""
    found = [f"{one.name}: holds no rows" for one in incoming if not work.counts[one.fresh.file_id].read]
    lines = [one for one in incoming if one.reading.format == "jsonl"][:FILES_LOOKED_INTO]
    keys = {key for one in lines for key in json_keys(one.fresh.file)}
    listed = ", ".join(sorted(keys))
    for name, mapped in work.mapping.columns.items() if keys else ():
        if mapped.column is not None and mapped.column not in keys:
            key = mapped.column
            found.append(
                f"{lines[0].name}: no '{key}' in its first rows, so {name} is empty{told(work.entity.name, [name])}; "
                f"keys found: {listed}"
            )
    return tuple(found)


def _unmapped(work: _Load, incoming: Sequence[Incoming]) -> tuple[str, ...]:
    """What the first files hold beside the columns that the mapping uses, by name."""
    found: set[str] = set()
    for one in incoming[:FILES_LOOKED_INTO]:
        if one.reading.format == "parquet":
            found.update(name for name, _ in one.shape[1])  # type: ignore[index]  # `examine` has made it so
        else:
            found.update(one.header.names if one.header else json_keys(one.fresh.file))
    used = {name.partition(".")[0] for name in mapped_columns(work.mapping)} | set(mapped_columns(work.mapping))
    return tuple(sorted(found - used))
