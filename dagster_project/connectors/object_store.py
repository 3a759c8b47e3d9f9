"""A copy of an S3-compatible store's objects in a folder, from which the files connector reads them as any others.

Only what the entities' patterns match is copied, and only what is new or has changed since; what is gone there stays
here.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dagster_project.connectors.source_files import SourceFileError
from dagster_project.object_stores import StoreError, faults_in_words, open_store, root_of

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem

    from dagster_project.settings import FilesSource
    from dagster_project.source_settings import ObjectStore

MANIFEST = ".objects.json"  # name to size and time of change: what the copy is of
CHUNK = 8 * 1024 * 1024


def copy_objects(source: FilesSource, patterns: Iterable[str]) -> int:
    """Bring the folder of a source with a store up to date; returns how many objects were copied.

    Raises SourceFileError: no key, no such bucket, no answer, an object whose name leads out of the folder.
    """
    store = source.store
    if store is None:
        return 0
    wanted = re.compile("|".join(f"(?:{as_regex(pattern)})" for pattern in patterns))
    source.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    manifest = source.folder / MANIFEST
    known: dict[str, list[int]] = json.loads(manifest.read_text()) if manifest.exists() else {}
    copied = 0
    with _told(store):
        filesystem = open_store(store)
        for name, info in _listed(filesystem, store):
            mark = [info.size, info.mtime_ns]
            here = source.folder / name
            if not wanted.fullmatch(name) or (known.get(name) == mark and here.exists()):
                continue
            _copy(filesystem, info, here)
            known[name] = mark
            copied += 1
            write_whole(manifest, json.dumps(known))
    return copied


def count_objects(source: FilesSource, patterns: Iterable[str]) -> int:
    """How many objects the patterns match. Copies nothing. Raises as `copy_objects`."""
    store = source.store
    if store is None:
        return 0
    wanted = re.compile("|".join(f"(?:{as_regex(pattern)})" for pattern in patterns))
    with _told(store):
        return sum(wanted.fullmatch(name) is not None for name, _ in _listed(open_store(store), store))


def _listed(filesystem: S3FileSystem, store: ObjectStore) -> Iterator[tuple[str, FileInfo]]:
    """Objects below the prefix, by name: (name inside it, what the store tells of it)."""
    from pyarrow.fs import FileSelector, FileType

    root = root_of(store)
    found = filesystem.get_file_info(FileSelector(root, recursive=True))
    for info in sorted(found, key=lambda one: one.path):
        name = info.path.removeprefix(root).lstrip("/")
        if info.type != FileType.File or any(part.startswith(".") for part in name.split("/") if part != ".."):
            continue
        if ".." in PurePosixPath(name).parts or "\\" in name or "\0" in name:
            raise SourceFileError(f"{store.bucket}: an object's name leads out of the folder: {name!r}; rename it")
        yield name, info


def _copy(filesystem: S3FileSystem, info: FileInfo, here: Path) -> None:
    """Copy an object to its place, whole or not at all. Raises SourceFileError where it is cut short."""
    here.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    part = here.with_name(f".{here.name}.part")
    try:
        with filesystem.open_input_stream(info.path, compression=None) as stream, part.open("wb") as out:
            while chunk := stream.read(CHUNK):
                out.write(chunk)
        if part.stat().st_size != info.size:
            raise SourceFileError(f"{info.path}: changed while it was read; the next run reads it again")
        os.utime(part, ns=(info.mtime_ns, info.mtime_ns))
        part.replace(here)
    finally:
        part.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


@contextmanager
def _told(store: ObjectStore) -> Iterator[None]:
    try:
        with faults_in_words(store, "be read", "list it (s3:ListBucket) and read its objects (s3:GetObject)"):
            yield
    except StoreError as error:
        raise SourceFileError(str(error)) from None


@functools.cache
def as_regex(pattern: str) -> str:
    """A glob as a regular expression over a whole name: `**/` is any folders, `*` and `?` stay within one."""
    parts = []
    for part in re.split(r"(\*\*/|\*|\?|\[[^\]]+\])", pattern):
        known = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part)
        if known is not None:
            parts.append(known)
        elif part.startswith("[") and part.endswith("]"):
            parts.append("[^" + re.escape(part[2:-1]).replace(r"\-", "-") + "]" if part[1] == "!" else part)
        else:
            parts.append(re.escape(part))
    return "".join(parts)
