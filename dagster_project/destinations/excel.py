"""A query's rows as an Excel workbook of one sheet."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

ROWS_AT_MOST = 1_048_575  # of a sheet, below its header
CELL_AT_MOST = 32_767  # characters
_BATCH = 5_000
_WIDEST = 60


def write_workbook(result: duckdb.DuckDBPyConnection, sheet_name: str, file: Path) -> int:
    """Write the rows of a result to `file`; returns how many. The header stays in sight and filters.

    Numbers, dates and truths are such; text is text, whatever it begins with, and what no cell can hold of it is cut
    off. Memory does not grow with the rows. The caller sees to it that there are not more than ROWS_AT_MOST.
    """
    import xlsxwriter  # type: ignore[import-untyped]  # it takes a fifth of a second, and few need it

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(file), {**options, "tmpdir": str(file.parent)}) as book:
        sheet = book.add_worksheet(sheet_name[:31])
        head = book.add_format({"bold": True})
        days, times = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        names = [column[0] for column in result.description or ()]
        for place, name in enumerate(names):
            sheet.set_column(place, place, min(max(len(name) + 4, 12), _WIDEST))
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, names, head)
        rows = 0
        while batch := result.fetchmany(_BATCH):
            for row in batch:
                rows += 1
                for place, value in enumerate(row):
                    _write(sheet, rows, place, value, days, times)
        sheet.autofilter(0, 0, rows, max(len(names) - 1, 0))
    return rows


def _write(sheet: Any, row: int, place: int, value: Any, days: Any, times: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, (int, float, Decimal)):
        sheet.write_number(row, place, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value, times)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, days)
    else:
        sheet.write_string(row, place, str(value)[:CELL_AT_MOST])
