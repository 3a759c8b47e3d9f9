"""Files on their way into a raw table: read and checked into a temporary table, then numbered by line.

DuckDB keeps the order of the files' rows, so a row's place in the temporary table tells its place in its file, and
`Runs` tell the line. That costs nothing while reading, where counting rows would make DuckDB read with one thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb

from dagster_project.connectors.casts import Clocks
from dagster_project.connectors.contract import MISSING, UNREADABLE, Plan
from dagster_project.connectors.readers import (
    Incoming,
    first_line,
    is_regular,
    must_be_sieved,
    refuse_missing_keys,
    sieve,
    table_function,
)
from dagster_project.connectors.sieved import Runs
from dagster_project.connectors.source_files import SourceFileError
from dagster_project.entities import Entity
from dagster_project.settings import FileEntity
from dagster_project.warehouse import literal

_READ_ERRORS = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException)
_REJECTS = ("files_rejects", "files_rejects_scans")


class _Position(NamedTuple):
    """Rows of a file, and the place of the first in the temporary table."""

    rows: int
    first: int


@dataclass(frozen=True)
class Staged:
    """A staged batch: its files, its temporary table, the SQL of its rows with lines, and what fault numbers mean.

    `lines` adds to the staged rows `_row` (the place in `table`), `_file`, `_file_id` and `_line`.
    """

    files: Sequence[Incoming]
    table: str
    lines: str
    columns: list[str]
    reasons: list[str]


class Stage:
    """Reads batches of one entity's files. The temporary tables belong to the connection; `clear` drops them.

    Read outside of a transaction: DuckDB takes twice as long to copy a table that the same transaction has made.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, entity: Entity, mapping: FileEntity, clocks: Clocks, scratch: Path
    ) -> None:
        self.con = con
        self.entity = entity
        self.mapping = mapping
        self.clocks = clocks
        self.scratch = scratch
        self._tables: list[str] = []
        self._number = 0

    def clear(self) -> None:
        """Drop the temporary tables."""
        for name in (*self._tables, *_REJECTS):
            self.con.execute(f"drop table if exists temp.{name}")
        self._tables.clear()

    def read(self, batch: Sequence[Incoming]) -> Staged:
        """Read a batch of files of one shape. Raises SourceFileError when a file cannot be read at all."""
        self._number += 1
        is_parquet = batch[0].reading.format == "parquet"
        self._new_table("staged")
        plan = self._fill(batch, is_first=True) if is_parquet else self._read_text(batch)
        lines = self._number_lines(batch)
        if batch[0].reading.format == "jsonl":
            self._refuse_missing_keys(batch, plan)
        columns, reasons = [check.column for check in plan.checks], [check.reason for check in plan.checks]
        return Staged(batch, self._table("staged"), lines, columns, reasons)

    def _table(self, name: str) -> str:
        return f"files_{name}_{self._number}"

    def _new_table(self, name: str) -> str:
        self._tables.append(self._table(name))
        return self._table(name)

    def _fill(self, batch: Sequence[Incoming], *, is_first: bool) -> Plan:
        """Read files into the temporary table."""
        file_format = batch[0].reading.format
        nulls = () if file_format == "csv" else self.mapping.nulls  # read_csv sees to them itself
        plan = Plan(self.entity, self.mapping, batch[0].sources, self.clocks, nulls)
        source = table_function(batch, self.mapping, plan.parameters)
        select = plan.select(source, note_unreadable=file_format == "jsonl")
        table = self._table("staged")
        head = f"create temp table {table} as" if is_first else f"insert into {table}"
        try:
            self.con.execute(f"{head} {select}", plan.parameters.values)
        except _READ_ERRORS as error:
            guilty = [one.name for one in batch if one.path in str(error)] or [one.name for one in batch[:3]]
            reason = str(error).splitlines()[0]
            raise SourceFileError(f"{', '.join(guilty)}: cannot be read ({reason}); send the file again") from error
        return plan

    def _read_text(self, batch: Sequence[Incoming]) -> Plan:
        """Regular files go straight in; those that turn out otherwise are taken out again and sieved."""
        direct = [one for one in batch if not must_be_sieved(one)]
        plan = None
        if direct:
            try:
                plan = self._fill(direct, is_first=True)
            except SourceFileError:  # one of them is beyond DuckDB: the careful way tells which, and why
                direct = []
        irregular = [one for one in batch if one not in direct]
        if plan is not None:
            positions, broken = self._positions(), self._broken_paths(direct)
            found = [one for one in direct if one.path in broken or not is_regular(one, positions[one.path].rows)]
            paths = [one.path for one in found]
            staged = self._table("staged")
            self.con.execute(f"delete from {staged} where _path in (select unnest($1::varchar[]))", [paths])
            irregular += found
        for one in irregular:
            sieve(one, self.mapping, self._first_needed(batch), self.scratch)
        if irregular:
            plan = self._fill(irregular, is_first=plan is None)
            self._check_sieved(irregular)
        assert plan is not None
        return plan

    def _first_needed(self, batch: Sequence[Incoming]) -> str | None:
        return Plan(self.entity, self.mapping, batch[0].sources, self.clocks, ()).first_needed()

    def _check_sieved(self, batch: Sequence[Incoming]) -> None:
        """A clean copy must give the rows that the sieve let through; anything else would be rows lost in silence."""
        positions, broken = self._positions(), self._broken_paths(batch)
        for one in batch:
            is_whole = one.header is None or one.path not in broken
            if not is_whole or positions[one.path].rows != one.runs.count:
                raise SourceFileError(
                    f"{one.name}: its rows cannot be told apart with certainty; check its quotes, and the delimiter "
                    "in the config"
                )

    def _broken_paths(self, batch: Sequence[Incoming]) -> set[str]:
        """The files in which DuckDB met something that is no row."""
        found = f"select distinct _path from {self._table('staged')} where _fault = {UNREADABLE}"
        if batch[0].header is not None:
            found = "select distinct file_path from files_rejects join files_rejects_scans using (scan_id, file_id)"
        return {path for (path,) in self.con.execute(found).fetchall()}

    def _positions(self) -> defaultdict[str, _Position]:
        """Where the rows of each path stand in the temporary table."""
        found = self.con.execute(
            f"select _path, count(*), min(rowid), max(rowid) from {self._table('staged')} group by _path"
        ).fetchall()
        positions: defaultdict[str, _Position] = defaultdict(lambda: _Position(0, 0))
        for path, rows, first, last in found:
            if last - first + 1 != rows:  # DuckDB promises the order; lines would be wrong without it
                raise SourceFileError(
                    f"{path}: its rows are out of order; set preserve_insertion_order = true in DuckDB"
                )
            positions[path] = _Position(rows, first)
        return positions

    def _number_lines(self, batch: Sequence[Incoming]) -> str:
        """Fill the tables that tell a row's line; returns the SQL that uses them."""
        positions = self._positions()
        for one in batch:
            if not one.is_sieved:
                one.runs = Runs([(0, first_line(one))], positions[one.path].rows)
        starts = [(one.fresh.file_id, row, line) for one in batch for row, line in one.runs.starts]
        is_broken = any(len(one.runs.starts) > 1 for one in batch)
        if len(batch) == 1 and not is_broken:
            return self._lines_of_one(batch[0], positions[batch[0].path])
        read, runs = self._new_table("read"), self._new_table("runs")
        self.con.execute(
            f"create temp table {read} as select unnest($ids::bigint[]) as file_id, "
            "unnest($names::varchar[]) as name, unnest($paths::varchar[]) as path, "
            "unnest($rows::bigint[]) as first_row, unnest($lines::bigint[]) as first_line",
            {
                "ids": [one.fresh.file_id for one in batch],
                "names": [one.name for one in batch],
                "paths": [one.path for one in batch],
                "rows": [positions[one.path].first for one in batch],
                "lines": [one.runs.starts[0][1] if one.runs.starts else 1 for one in batch],
            },
        )
        self.con.execute(
            f"create temp table {runs} as select unnest($ids::bigint[]) as file_id, "
            "unnest($rows::bigint[]) as first_row, unnest($lines::bigint[]) as first_line",
            {
                "ids": [start[0] for start in starts],
                "rows": [start[1] for start in starts],
                "lines": [start[2] for start in starts],
            },
        )
        line, stretch = "read.first_line + (staged.rowid - read.first_row)", ""
        if is_broken:
            line = "runs.first_line + (staged.rowid - read.first_row - runs.first_row)"
            stretch = (
                f"asof join {runs} as runs "
                "on runs.file_id = read.file_id and runs.first_row <= staged.rowid - read.first_row"
            )
        return (
            f"(select staged.*, staged.rowid as _row, read.name as _file, read.file_id as _file_id, {line} as _line "
            f"from {self._table('staged')} as staged join {read} as read on read.path = staged._path {stretch})"
        )

    def _lines_of_one(self, one: Incoming, position: _Position) -> str:
        """The rows of a single unbroken file, the common large load: no join, and so a tenth quicker."""
        line = one.runs.starts[0][1] if one.runs.starts else 1
        return (
            f"(select *, rowid as _row, {literal(one.name)} as _file, {one.fresh.file_id}::bigint as _file_id, "
            f"rowid - {position.first} + {line} as _line from {self._table('staged')})"
        )

    def _refuse_missing_keys(self, batch: Sequence[Incoming], plan: Plan) -> None:
        """A required key that no row of a file has is a mistake in the mapping, not a fault of the rows."""
        for number, check in enumerate(plan.checks, start=1):
            key = self.mapping.columns[check.column].column
            if check.reason != MISSING or key is None:
                continue
            paths = self.con.execute(
                f"select _path from {self._table('staged')} group by _path "
                f"having bool_and(coalesce(_fault in ({UNREADABLE}, {number}), false))"
            ).fetchall()
            for one in batch:
                if (one.path,) in paths:
                    refuse_missing_keys(one, [key])
