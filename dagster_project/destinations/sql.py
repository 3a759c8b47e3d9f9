"""What every destination needs to talk to DuckDB: a closed connection, plain faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dagster_project.warehouse import literal, quoted


def fault(error: Exception) -> str:
    """The first line of DuckDB's message, which says what is wrong; a lock conflict in plain words."""
    text = str(error)
    holder = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", text)
    if holder:
        return f"the file is in use by process {holder[2]} ({holder[1]}); wait until it has ended"
    return text.splitlines()[0] if text else type(error).__name__


@contextmanager
def opened(file: Path, name: str, options: Mapping[str, str | int]) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory connection with `file` attached read-only as `name`; closed on every path.

    Attached, not connected to: within one process `duckdb.connect(file)` hands back the old file as long as any
    connection to it is open, even after a new one was swapped in.
    """
    with duckdb.connect(config=dict(options)) as con:
        con.execute(f"attach {literal(str(file))} as {quoted(name)} (read_only)")
        yield con
