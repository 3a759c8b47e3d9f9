"""What the careful way through a text file gives: a clean copy, where its rows stood, which lines are no rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MAX_RECORD_BYTES = 2_000_000  # DuckDB's own limit for one row of CSV
TOO_LONG = f"is longer than {MAX_RECORD_BYTES:,} bytes"
NOT_UTF8 = "has characters that are not UTF-8"


@dataclass(frozen=True)
class LineFault:
    """A physical line that could not become a row, and why. Its text is not kept: it may hold anybody's data."""

    line: int
    reason: str
    column: str | None = None


@dataclass
class Runs:
    """Where rows stand: row number `row` (from 0) begins at physical line `line`, the next ones on the lines after it.

    A new entry is made only where that breaks, so that a regular file has one entry whatever its size.
    """

    starts: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0
    _expected: int = -1

    def add(self, line: int) -> None:
        """The next row begins at this line."""
        if line != self._expected:
            self.starts.append((self.count, line))
        self.count += 1
        self._expected = line + 1


@dataclass
class Sieved:
    """What came through the sieve: a clean copy to read in the file's place, where its rows stood, and what did not."""

    path: Path
    runs: Runs = field(default_factory=Runs)
    faults: list[LineFault] = field(default_factory=list)


def is_utf8(text: bytes) -> bool:
    """Whether these bytes are valid UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
