"""A look at a source's files before anything is loaded: do they open, and do their columns fit the mapping?"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from dagster_project.connectors.database import extracts_of
from dagster_project.connectors.ledger import Fresh
from dagster_project.connectors.object_store import count_objects
from dagster_project.connectors.readers import examine, refuse_missing_keys
from dagster_project.connectors.source_files import SourceFile, SourceFileError, find_files
from dagster_project.entities import ENTITIES
from dagster_project.settings import FileEntity, Settings

FAULTS_TOLD = 5  # of one entity; a wrong mapping is wrong in every file


def check_files(settings: Settings, entity: str) -> int:
    """The number of files of an entity that config maps; 0 where none is there yet. Loads and writes nothing.

    Raises SourceFileError, which names the files that a load would refuse; and for accounts when there is none.
    """
    source = settings.sources.files
    if source is None or entity not in source.entities:
        return 0
    mapping = source.entities[entity]
    if source.store is not None:  # nothing is copied for a look
        return count_objects(source, mapping.files)
    extracts = extracts_of(source, mapping.files)
    if extracts:
        return len(extracts)
    files = find_files(source, mapping)
    if entity == "accounts" and not files:
        raise SourceFileError(
            f"no file matches {', '.join(mapping.files)} in {source.folder}; correct `files:` or the folder: without "
            "accounts there is nobody to score"
        )
    faults = []
    with duckdb.connect() as con:
        for file in files:
            try:
                _check(con, file, entity, mapping)
            except SourceFileError as error:
                faults.append(str(error))
    if faults:
        more = len(faults) - FAULTS_TOLD
        raise SourceFileError("\n".join(faults[:FAULTS_TOLD] + [f"and {more} more files"] * (more > 0)))
    return len(files)


def _check(con: duckdb.DuckDBPyConnection, file: SourceFile, entity: str, mapping: FileEntity) -> None:
    with tempfile.TemporaryDirectory(prefix="health-") as scratch:
        fresh = Fresh(file, file_id=0, content_hash="", replaces=None)
        for incoming in examine(con, [fresh], mapping, Path(scratch)):
            if file.format == "jsonl" and file.size:
                refuse_missing_keys(incoming, _required(entity, mapping))


def _required(entity: str, mapping: FileEntity) -> list[str]:
    """The keys without which every row would be set aside. JSON lines may leave out the others."""
    columns = ENTITIES[entity].columns
    return [
        mapped.column
        for name, mapped in mapping.columns.items()
        if mapped.column is not None and columns[name].required
    ]
