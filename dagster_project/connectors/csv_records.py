"""CSV as bytes: the header, and the slow careful way through a file that DuckDB cannot read as it stands.

DuckDB reads a regular file (one physical line a row) at its own speed, and the line of a row follows from its place.
A file with broken rows, quoted newlines, blank lines or mixed line ends is sieved first: Python walks its lines once,
sets the broken ones aside with their exact line, and writes the others to a clean copy for DuckDB. One bad quote then
costs one line, not everything up to the next quote.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dagster_project.connectors.sieved import MAX_RECORD_BYTES, NOT_UTF8, TOO_LONG, LineFault, Sieved, is_utf8
from dagster_project.connectors.source_files import SourceFile, SourceFileError, open_content, physical_lines

MAX_RECORD_LINES = 1_000  # a quote still open after so many lines was never meant to be closed
_HEAD_BYTES = 1024 * 1024
_DELIMITERS = b",;\t|"
_BAD_QUOTE = "has a quote that is not closed, or text after a closing quote"


@dataclass(frozen=True)
class Header:
    """The first row: column names without surrounding blanks, and the physical lines up to its end.

    Of a file without a header the names are the places, from 1, and `lines` is 0. `quotes` says whether values may be
    in quotes.
    """

    names: tuple[str, ...]
    delimiter: str
    lines: int
    quotes: bool = True


class _Grammar:
    """Splits one record. A value is quoted, with quotes inside doubled; or plain, and then a quote is a character."""

    def __init__(self, delimiter: str, quotes: bool) -> None:
        mark = re.escape(delimiter.encode())
        if not quotes:
            self._value = re.compile(rb"[^" + mark + rb"\r\n]*+(?=" + mark + rb"|\Z)")
            self._open = re.compile(rb"(?!)")
            return
        blanks = b"" if delimiter == " " else b" *"
        quoted = blanks + rb'"(?:[^"]|"")*+"' + blanks
        plain = rb"(?!" + blanks + rb'")[^' + mark + rb"\n]*+"
        value = rb"(?:" + quoted + rb"|" + plain + rb")"
        self._value = re.compile(value + rb"(?=" + mark + rb"|\Z)")
        self._open = re.compile(rb"(?:" + value + mark + rb")*+" + blanks + rb'"(?:[^"]|"")*+')

    def split(self, record: bytes) -> list[bytes] | None:
        """The values of a record without its line end, quotes kept; None when it is not well formed."""
        values: list[bytes] = []
        position = 0
        while found := self._value.match(record, position):
            values.append(found[0])
            if found.end() == len(record):
                return values
            position = found.end() + 1
        return None

    def is_open(self, record: bytes) -> bool:
        """Whether the record ends inside a quoted value, so that the next line may belong to it."""
        return self._open.fullmatch(record) is not None


def read_header(file: SourceFile, delimiter: str | None, *, is_there: bool = True, quotes: bool = True) -> Header:
    """Read the first row. Without `delimiter` it is the one of , ; tab and | that stands most often in it.

    Where a header `is_there` its values are the names. Raises SourceFileError when there is no row, or it is not UTF-8.
    """
    with open_content(file) as stream:
        head = stream.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8)
    if b"\n" not in head:
        head = head.replace(b"\r", b"\n")  # the line end of old spreadsheets
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        needed = "the first line must name the columns" if is_there else "send the file again, or remove it"
        raise SourceFileError(f"{file.name}: has no {'header' if is_there else 'rows'}, only blank lines; {needed}")
    chosen = delimiter or _most_frequent(lines[first])
    grammar = _Grammar(chosen, quotes)
    for last in range(first, min(len(lines), first + 100)):
        values = grammar.split(b"\n".join(lines[first : last + 1]))
        if values is None:
            continue
        if not is_there:
            return Header(tuple(str(place) for place in range(1, len(values) + 1)), chosen, 0, quotes)
        return Header(tuple(_plain(value, file.name).strip() for value in values), chosen, last + 1, quotes)
    row = "header" if is_there else "first row"
    raise SourceFileError(f"{file.name}: the {row}, line {first + 1}, has a quote that is not closed; correct the file")


def _most_frequent(line: bytes) -> str:
    outside = re.sub(rb'"(?:[^"]|"")*"', b"", line)
    return max((chr(mark) for mark in _DELIMITERS), key=lambda mark: outside.count(mark.encode()))


def _plain(value: bytes, name: str) -> str:
    """A value without its quotes, as text."""
    bare = value.strip(b" ")
    if bare.startswith(b'"'):
        bare = bare[1:-1].replace(b'""', b'"')
    try:
        return bare.decode()
    except UnicodeDecodeError as error:
        raise SourceFileError(
            f"{name}: the header is not UTF-8; if the file is Latin-1, add `encoding: latin-1` to the entity"
        ) from error


def sieve(file: SourceFile, header: Header, target: Path, newline: str, check_utf8: bool) -> Sieved:
    """Write the well-formed rows of a CSV file to `target` (a header first, if it has one) and say where each stood.

    `newline` is what the survey found; `check_utf8` false skips looking for damaged characters, where it found none.
    Raises SourceFileError when the file is damaged.
    """
    lines = enumerate(physical_lines(file, b"\r" if newline == "cr" else b"\n"), start=1)
    with target.open("wb") as out:
        work = _Sieve(header, lines, out, Sieved(target), check_utf8)
        work.run()
    return work.sieved


class _Sieve:
    """One pass over the lines of one file."""

    def __init__(
        self, header: Header, lines: Iterator[tuple[int, bytes]], out: IO[bytes], sieved: Sieved, check_utf8: bool
    ) -> None:
        self.sieved = sieved
        self._header_lines = header.lines
        self._width = len(header.names)
        self._mark = header.delimiter.encode()
        self._grammar = _Grammar(header.delimiter, header.quotes)
        self._quotes = header.quotes
        self._check_utf8 = check_utf8
        self._lines = lines
        self._again: deque[tuple[int, bytes]] = deque()  # lines given back by a record that turned out broken
        self._out = out

    def run(self) -> None:
        """Write every row, or note why not."""
        if self._header_lines:
            self._out.write(self._mark.join(b"c%d" % number for number in range(self._width)) + b"\n")
        while (line := self._next()) is not None:
            number, raw = line
            text = raw.removesuffix(b"\r")
            if number <= self._header_lines or not text.strip(b" "):
                continue
            if self._is_simple(text) and text.count(self._mark) + 1 == self._width:
                self._write(number, text)
            else:
                self._take(number, raw)

    def _next(self) -> tuple[int, bytes] | None:
        return self._again.popleft() if self._again else next(self._lines, None)

    def _is_simple(self, text: bytes) -> bool:
        is_plain = b'"' not in text and b"\r" not in text and len(text) <= MAX_RECORD_BYTES
        return is_plain and (text.isascii() or not self._check_utf8)

    def _write(self, number: int, record: bytes) -> None:
        self._out.write(record + b"\n")
        self.sieved.runs.add(number)

    def _take(self, number: int, raw: bytes) -> None:
        """A line that needs a closer look: write the record that begins here, or set this line aside."""
        record, taken = self._whole_record(raw)
        values = self._grammar.split(record)
        fault = _BAD_QUOTE if values is None else self._fault(record, values)
        if values is not None and fault is None:
            written = values[: self._width]
            self._write(number, self._mark.join(map(_canonical, written) if self._quotes else written))
            return
        self.sieved.faults.append(LineFault(number, fault or _BAD_QUOTE))
        self._again.extendleft(reversed(taken))  # what follows the broken line gets its own chance

    def _whole_record(self, raw: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
        """Join the lines of a quoted value that goes over several. Returns the record and the further lines it took."""
        record, size = [raw], len(raw)
        taken: list[tuple[int, bytes]] = []
        is_open = self._ends_open(record)
        while is_open and size <= MAX_RECORD_BYTES and len(taken) < MAX_RECORD_LINES:
            following = self._next()
            if following is None:
                break
            taken.append(following)
            record.append(following[1])
            size += len(following[1]) + 1
            if b'"' in following[1]:
                is_open = self._ends_open(record)
        return b"\n".join(record).removesuffix(b"\r"), taken

    def _ends_open(self, lines: list[bytes]) -> bool:
        record = b"\n".join(lines).removesuffix(b"\r")
        return self._grammar.split(record) is None and self._grammar.is_open(record)

    def _fault(self, record: bytes, values: list[bytes]) -> str | None:
        """Why a well-formed record is no row; None when it is one. Surplus empty values at the end are harmless."""
        if self._check_utf8 and not is_utf8(record):
            return NOT_UTF8
        if len(record) > MAX_RECORD_BYTES:
            return TOO_LONG
        excess = values[self._width :]
        if len(values) < self._width or any(excess):
            count = f"{len(values)} value{'' if len(values) == 1 else 's'}"
            return f"has {count} where the {'header' if self._header_lines else 'first row'} has {self._width}"
        return None


def _canonical(value: bytes) -> bytes:
    """A value written so that it can be read in one way only."""
    bare = value.strip(b" ")
    if bare.startswith(b'"'):
        return bare
    return b'"' + value.replace(b'"', b'""') + b'"' if b"\r" in value or b'"' in value else value
