"""When each provider was last read to its end, and what has kept it from that since: raw_meta.provider_reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb

from dagster_project.warehouse import table_exists

_BOOKS = """create table if not exists raw_meta.provider_reads (
    provider varchar, tried_at timestamp, read_at timestamp, failing_since timestamp, problem varchar)"""


@dataclass(frozen=True)
class Unread:
    """A provider that could not be read. Times are on the company's clocks; `read_at` is None where it never was."""

    provider: str
    problem: str
    failing_since: datetime
    read_at: datetime | None

    def told(self) -> str:
        """What happened, since when, and what the scores rest on meanwhile."""
        problem = self.problem.removeprefix(f"{self.provider}: ").rstrip(". ")
        if self.read_at is None:
            since = f"It has never been read to its end; the first try was on {self.failing_since:%Y-%m-%d at %H:%M}"
        else:
            since = f"It was last read to its end on {self.read_at:%Y-%m-%d at %H:%M}"
        return f"{self.provider} could not be read: {problem}. {since}. The scores rest on what is there."


def note_read(con: duckdb.DuckDBPyConnection, provider: str, at: datetime, problem: str | None) -> None:
    """Remember how a load went; `problem` is None where it came to its end."""
    con.execute("create schema if not exists raw_meta")
    con.execute(_BOOKS)
    found = con.execute(
        "select read_at, failing_since from raw_meta.provider_reads where provider = $1", [provider]
    ).fetchone()
    read_at, since = found or (None, None)
    row = (provider, at, at, None, None) if problem is None else (provider, at, read_at, since or at, problem)
    con.execute("begin")
    con.execute("delete from raw_meta.provider_reads where provider = $1", [provider])
    con.execute("insert into raw_meta.provider_reads values (?, ?, ?, ?, ?)", row)
    con.execute("commit")


def unread(con: duckdb.DuckDBPyConnection, providers: Collection[str]) -> list[Unread]:
    """Those of the providers whose last load did not come to its end."""
    if not table_exists(con, "raw_meta", "provider_reads"):
        return []
    rows = con.execute(
        "select provider, problem, failing_since, read_at from raw_meta.provider_reads "
        "where problem is not null order by provider"
    ).fetchall()
    return [Unread(*row) for row in rows if row[0] in providers]
