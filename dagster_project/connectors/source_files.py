"""The files of a source as bytes: which there are, whether they open, what they look like before they are parsed."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from dagster_project.settings import FileEntity, FilesSource, format_of

Compression = Literal["none", "gzip", "zstd"]
FileFormat = Literal["csv", "jsonl", "parquet"]

CHUNK = 4 * 1024 * 1024
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SUFFIX: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
_LETTER_NEXT_TO_INVALID = re.compile(rb"[A-Za-z][\xc0-\xf6\xf8-\xfd]|[\xc0-\xf6\xf8-\xfd][A-Za-z]")


class SourceFileError(Exception):
    """A file that cannot be read at all. The message names the file, what is wrong with it, and what to do.

    `missing` are the mapped columns that it does not have.
    """

    def __init__(self, text: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.missing = missing


@dataclass(frozen=True)
class SourceFile:
    """One file found. `name` is its path inside the source's folder, with forward slashes; `size` is in bytes."""

    path: Path
    name: str
    format: FileFormat
    compression: Compression
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Survey:
    """What one pass over a text file's bytes (decompressed) tells.

    `lines` counts physical lines without the blank ones at the end. `newline` is what ends a line; `mixed` when that
    is not the same everywhere (as it is where a quoted value holds another kind of newline).
    """

    lines: int
    newline: Literal["lf", "crlf", "cr", "mixed"]
    is_utf8: bool
    has_bom: bool


def find_files(source: FilesSource, entity: FileEntity) -> list[SourceFile]:
    """The files that the entity's globs match, by name; hidden ones (a leading dot) are left out.

    Raises SourceFileError when the folder is not there, or a file is empty, unreadable or of no known format.
    """
    if not source.folder.is_dir():
        raise SourceFileError(
            f"{source.folder}: there is no such folder; set sources.files.folder in the config, or HEALTH_DATA"
        )
    found = [_describe(path, path.relative_to(source.folder).as_posix(), entity) for path in _visible(source, entity)]
    return sorted(found, key=lambda file: file.name)


def _visible(source: FilesSource, entity: FileEntity) -> Iterator[Path]:
    paths = {path for pattern in entity.files for path in source.folder.glob(pattern)}
    return (path for path in paths if path.is_file() and not path.name.startswith("."))


def stamp(source: FilesSource) -> str:
    """16 hex digits over the names, sizes and times of all files of the source: others when one lands or changes."""
    found = set()
    for entity in source.entities.values():
        for path in _visible(source, entity):
            with suppress(OSError):  # gone meanwhile
                stat = path.stat()
                found.add((path.relative_to(source.folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()[:16]


def _describe(path: Path, name: str, entity: FileEntity) -> SourceFile:
    file_format = entity.format or format_of(name)
    if file_format is None:
        raise SourceFileError(
            f"{name}: the ending does not tell the format; add `format:` csv, jsonl or parquet to the entity"
        )
    try:
        stat = path.stat()
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise SourceFileError(
            f"{name}: cannot be opened ({error.strerror}); check that the file is there and may be read"
        ) from error
    if (
        not head and file_format != "jsonl"
    ):  # no rows is a legal JSON lines file; a CSV needs a header, Parquet a footer
        raise SourceFileError(f"{name}: is empty (0 bytes); send the file again, or remove it")
    return SourceFile(path, name, file_format, _compression(name, head, file_format), stat.st_size, stat.st_mtime_ns)


def _compression(name: str, head: bytes, file_format: FileFormat) -> Compression:
    """By the first bytes, whatever the name says: a wrong ending is common, and would read as rubbish."""
    actual: Compression = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")
    promised = _SUFFIX.get(Path(name.lower()).suffix, "none")
    if file_format == "parquet":
        if actual != "none":
            raise SourceFileError(
                f"{name}: is a {actual} file, not Parquet; unpack it first (Parquet compresses inside the file)"
            )
    elif head and promised not in ("none", actual):
        raise SourceFileError(
            f"{name}: ends in {Path(name).suffix} but is not a {promised} file; send it again, or rename it"
        )
    return actual


@contextmanager
def open_content(file: SourceFile) -> Iterator[IO[bytes]]:
    """The file's content, decompressed as it is read. Raises SourceFileError when it is damaged or cut off."""
    try:
        with _opened(file) as stream:
            yield stream
    except (OSError, EOFError) as error:
        kind = "" if file.compression == "none" else f" {file.compression}"
        raise SourceFileError(f"{file.name}: is a damaged{kind} file ({error}); send the file again") from error


@contextmanager
def _opened(file: SourceFile) -> Iterator[IO[bytes]]:
    if file.compression == "zstd":
        import pyarrow as pa  # here, because it takes a third of a second and few need it

        with pa.input_stream(str(file.path), compression="zstd") as stream:
            yield cast(IO[bytes], stream)
    elif file.compression == "gzip":
        with gzip.open(file.path, "rb") as unpacked:
            yield cast(IO[bytes], unpacked)
    else:
        with file.path.open("rb") as plain:
            yield plain


def physical_lines(file: SourceFile, end: bytes = b"\n") -> Iterator[bytes]:
    """The lines of the content as bytes, without their line ends (a carriage return before the newline stays)."""
    rest = b""
    with open_content(file) as stream:
        while chunk := stream.read(CHUNK):
            *whole, rest = (rest + chunk).split(end)
            yield from whole
    if rest:
        yield rest


def content_hash(file: SourceFile) -> str:
    """SHA-256 of the file as stored, in hex."""
    with file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def survey(file: SourceFile) -> Survey:
    """Read a text file once. Raises SourceFileError when it is damaged, or is UTF-16 without the config saying so."""
    feeds = returns = pairs = 0
    trailing_feeds = trailing_returns = 0
    has_content = has_bom = False
    checker = Utf8Checker()
    with open_content(file) as stream:
        first = True
        while chunk := stream.read(CHUNK):
            if first:
                refuse_utf16(file.name, chunk)
                has_bom, first = chunk.startswith(codecs.BOM_UTF8), False
            if chunk.endswith(b"\r"):  # so that no \r\n is cut in two
                chunk += stream.read(1)
            checker.feed(chunk)
            feeds += chunk.count(b"\n")
            if b"\r" in chunk:
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n")
            end = len(chunk.rstrip(b"\r\n"))
            if end:
                has_content, trailing_feeds, trailing_returns = True, 0, 0
            trailing_feeds += chunk.count(b"\n", end)
            trailing_returns += chunk.count(b"\r", end)
    newline: Literal["lf", "crlf", "cr", "mixed"] = "mixed"
    if not returns:
        newline = "lf"
    elif not feeds:
        newline = "cr"
    elif feeds == returns == pairs:
        newline = "crlf"
    ends = returns - trailing_returns if newline == "cr" else feeds - trailing_feeds
    return Survey(ends + 1 if has_content else 0, newline, checker.finish(), has_bom)


def refuse_utf16(name: str, head: bytes) -> None:
    """Raises SourceFileError when the first bytes are UTF-16: by its mark, or by a zero byte in every second place."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head[:4]:
        raise SourceFileError(
            f"{name}: is not UTF-8, it looks like UTF-16; add `encoding: utf-16` to the entity in the config"
        )


class Utf8Checker:
    """Tells whether bytes that come in chunks are valid UTF-8. Pure ASCII, the common case, costs next to nothing."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_valid = True

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        if self._is_valid and not (chunk.isascii() and self._decoder.getstate()[0] == b""):
            self._decode(chunk, final=False)

    def finish(self) -> bool:
        """Whether everything was valid, a character cut off at the end included."""
        self._decode(b"", final=True)
        return self._is_valid

    def _decode(self, chunk: bytes, final: bool) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._is_valid = False


def refuse_latin1(file: SourceFile) -> None:
    """Raises SourceFileError when a file that is not UTF-8 is most likely Latin-1 as a whole.

    The signs: no line holds a valid UTF-8 character beyond ASCII, and invalid bytes stand beside letters, as the é of
    `Café`. A few damaged bytes in a UTF-8 file are not that; those rows go to quarantine and the others are kept.
    """
    seems_latin1 = False
    for line in physical_lines(file):
        if line.isascii():
            continue
        try:
            line.decode()
            return
        except UnicodeDecodeError:
            seems_latin1 = seems_latin1 or bool(_LETTER_NEXT_TO_INVALID.search(line))
    if seems_latin1:
        raise SourceFileError(
            f"{file.name}: is not UTF-8, it looks like Latin-1; add `encoding: latin-1` to the entity in the config, "
            "or save the file as UTF-8"
        )


def transcode(file: SourceFile, encoding: str, target: Path) -> SourceFile:
    """Write a plain UTF-8 copy of a text file (without a byte order mark) and describe it under the same name.

    Raises SourceFileError when the file is not in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with open_content(file) as stream, target.open("wb") as out:
            first = True
            while chunk := stream.read(CHUNK):
                text = decoder.decode(chunk)
                out.write((text.removeprefix("\ufeff") if first else text).encode())
                first = False
            out.write(decoder.decode(b"", True).encode())
    except UnicodeError as error:
        raise SourceFileError(
            f"{file.name}: is not {encoding} as the config says ({error}); correct or remove `encoding:` of the entity"
        ) from error
    return SourceFile(target, file.name, file.format, "none", target.stat().st_size, file.modified_ns)
