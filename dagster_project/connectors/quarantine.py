"""Rows that broke their contract: set aside with file, line, column and reason, never dropped in silence."""

from __future__ import annotations

from datetime import datetime

import duckdb

from dagster_project.connectors.ledger import SOURCE, table
from dagster_project.connectors.sieved import LineFault
from dagster_project.connectors.staging import Staged
from dagster_project.entities import Entity

REPEATED = -2  # `_fault` of an account row that stands in the files a second time


def mark_repeated_accounts(con: duckdb.DuckDBPyConnection, entity: Entity, staged: Staged, replaced: list[int]) -> None:
    """Mark staged accounts whose (account_id, known_at) stood earlier: in this file, an earlier one or the raw table.

    Two rows of one version would make two accounts of one. `replaced` are the files whose rows in the table go away.
    """
    con.execute(
        f"""
        update {staged.table} set _fault = {REPEATED}, _value = left(repeated.account_id, 80),
            _reason = format(
                'account_id ''{{}}'' repeats (first at {{}} line {{}})', repeated.account_id, first_file, first_line
            )
        from (
            select _row, _loaded, account_id, first_value(_file) over earlier as first_file,
                first_value(_line) over earlier as first_line, row_number() over earlier as occurrence
            from (
                select _row, 1 as _loaded, account_id, known_at, _file, _line from {staged.lines} where _fault is null
                union all
                select _line, 0, account_id, known_at, _file, _line from {table(entity)}
                where not list_contains($replaced::bigint[], _file_id)
            )
            window earlier as (partition by account_id, known_at order by _loaded, _row)
        ) as repeated
        where occurrence > 1 and _loaded = 1 and {staged.table}.rowid = repeated._row
        """,
        {"replaced": replaced},
    )


def set_rows_aside(
    con: duckdb.DuckDBPyConnection, entity: Entity, staged: Staged, loaded_at: datetime
) -> dict[str, int]:
    """Write the faulty staged rows to quarantine; returns how many there are by reason."""
    names = {"columns": staged.columns, "reasons": staged.reasons}
    column = f"case when _fault > 0 then $columns[_fault] when _fault = {REPEATED} then 'account_id' end"
    reason = "case when _fault > 0 then $reasons[_fault] else coalesce(_reason, 'is not valid JSON') end"
    con.execute(
        f"insert into raw_quarantine.rejected_rows "
        f"select $source, $entity, _file, _line, {column}, {reason}, _value, $at "
        f"from {staged.lines} where _fault is not null",
        names | {"source": SOURCE, "entity": entity.name, "at": loaded_at},
    )
    rows = con.execute(
        f"select concat_ws(' ', {column}, case when _fault = {REPEATED} then 'repeats' else {reason} end) as what, "
        f"count(*) from {staged.table} where _fault is not null group by what",
        names,
    ).fetchall()
    return {what: int(count) for what, count in rows}


def set_lines_aside(
    con: duckdb.DuckDBPyConnection, entity: Entity, file: str, faults: list[LineFault], loaded_at: datetime
) -> dict[str, int]:
    """Write lines that never became rows to quarantine; returns how many there are by reason."""
    con.execute(
        "insert into raw_quarantine.rejected_rows "
        "select $source, $entity, $file, unnest($lines::bigint[]), unnest($columns::varchar[]), "
        "unnest($reasons::varchar[]), null, $at",
        {
            "source": SOURCE,
            "entity": entity.name,
            "file": file,
            "lines": [fault.line for fault in faults],
            "columns": [fault.column for fault in faults],
            "reasons": [fault.reason for fault in faults],
            "at": loaded_at,
        },
    )
    counts: dict[str, int] = {}
    for fault in faults:
        what = f"{fault.column} {fault.reason}" if fault.column else fault.reason
        counts[what] = counts.get(what, 0) + 1
    return counts
