"""Reads a published mart for reports: rows as dictionaries, from one whole version of the mart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]


class ReportError(Exception):
    """A report could not be made; the message says why and what to do."""


class Mart:
    """A published mart opened for reading; every query sees the same version of it."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """The query's rows, in order, by column name."""
        result = self._con.execute(query, dict(parameters or {}))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]

    def row(self, query: str, parameters: Mapping[str, object] | None = None) -> Row:
        """The one row of a query that always gives one (a total)."""
        (row,) = self.rows(query, parameters)
        return row


@contextmanager
def open_mart(mart: Path) -> Iterator[Mart]:
    """Opens the published mart read-only, as the only database; closed on every path.

    Raises ReportError when there is no mart, when it cannot be read, or when it lacks a table or column.
    """
    if not mart.is_file():
        raise ReportError(f"{mart}: there is no published mart to report on; run the pipeline first (make run)")
    try:
        # Attached, not connected to: within one process a connection to the path itself would be handed the old
        # file as long as anything else there still has it open.
        with duckdb.connect() as con:
            path = str(mart).replace("'", "''")
            con.execute(f"attach '{path}' as mart (read_only)")
            con.execute("use mart.marts")
            yield Mart(con)
    except duckdb.Error as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ReportError(f"{mart}: the published mart cannot be read: {first_line}") from error
