"""A comparison of scores as text for a terminal: readable at 100 columns, meaningful without colour."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagster_project.report.comparison import BIN_POINTS, Comparison
from dagster_project.report.summary import BAND_TITLES, BANDS, count, points, signed
from dagster_project.report.terminal import WIDTH, clean

OWNERS_SHOWN = 15
_BAR = 30  # columns of the longest bar


def render_comparison(comparison: Comparison, lens: str, changes: Sequence[str]) -> str:
    """The comparison as plain text of at most 100 columns, without colour codes; `changes` says what was proposed."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    proposed = "; ".join(clean(change) for change in changes) or "the scorecards in config, unchanged"
    console.print(Text(f"What if: {proposed} (lens {clean(lens)})"))
    console.print(Text(_verdict(comparison)), end="\n\n")
    if not comparison.is_unchanged:
        console.print(_matrix(comparison))
        console.print(_owners(comparison))
        console.print(_histogram(comparison))
        console.print(_movers(comparison))
        console.print(_months(comparison))
    console.print("Nothing was written: marts, exports and the scorecards in config are as they were.")
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _verdict(comparison: Comparison) -> str:
    span = f"{comparison.first} to {comparison.day}"
    account_days = count(comparison.account_days, "account-day", "account-days")
    if comparison.is_unchanged:
        return f"No score and no band would change on any of the {account_days} from {span}."
    moved = sum(cell.accounts for cell in comparison.cells if cell.before != cell.after)
    accounts = sum(cell.accounts for cell in comparison.cells)
    return (
        f"On {comparison.day}, {moved:,} of {count(accounts, 'account', 'accounts')} would be in another band. From "
        f"{span}, {comparison.band_changes:,} of {account_days} would be."
    )


def _table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=Text(title), title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    return table


def _matrix(comparison: Comparison) -> Table:
    """Rows are the bands as they are, columns the bands as they would be: accounts, and their ARR below."""
    cells = {(cell.before, cell.after): cell for cell in comparison.cells}
    used = [band for band in BANDS if any(cell.accounts for key, cell in cells.items() if band in key)]
    title = f"Accounts and ARR on {comparison.day}: band as it is (rows), as it would be (columns)"
    if comparison.accounts_without_arr:
        title += f"; {comparison.accounts_without_arr:,} without a known ARR"
    table = _table(title, "", *(BAND_TITLES[band] for band in used), "all as they are")
    for before in used:
        row = [cells[before, after] for after in used]
        table.add_row(BAND_TITLES[before], *(_both(cell.accounts, cell.arr) for cell in row), _sum(row))
    columns = [[cells[before, after] for before in used] for after in used]
    table.add_row("all as they would be", *map(_sum, columns), _sum(list(cells.values())))
    return table


def _sum(cells: Sequence[object]) -> str:
    return _both(sum(cell.accounts for cell in cells), sum((cell.arr for cell in cells), Decimal(0)))  # type: ignore[attr-defined]


def _both(accounts: int, arr: Decimal) -> str:
    return f"{accounts:,}\n{arr:,.0f}" if accounts else "·"


def _owners(comparison: Comparison) -> Table:
    table = _table(
        f"By owner on {comparison.day}", "Owner", "Accounts", "Better\nband", "their\nARR", "Worse\nband", "their\nARR",
        "Gain or\nlose a band", "Mean score\nas it is", "would be",
    )  # fmt: skip
    for each in comparison.owners[:OWNERS_SHOWN]:
        table.add_row(
            Text(clean(each.owner) or "nobody"), f"{each.accounts:,}", f"{each.better:,}", f"{each.better_arr:,.0f}",
            f"{each.worse:,}", f"{each.worse_arr:,.0f}", f"{each.other:,}", points(each.mean_before),
            points(each.mean_after),
        )  # fmt: skip
    left = len(comparison.owners) - OWNERS_SHOWN
    if left > 0:
        table.add_row(f"... and {count(left, 'more owner', 'more owners')}")
    return table


def _histogram(comparison: Comparison) -> Table:
    table = _table(f"Accounts by score on {comparison.day}", "Score", "as it is", "", "would be", "")
    for column in (2, 4):
        table.columns[column].justify = "left"
        table.columns[column].min_width = _BAR
    largest = max((max(one.before, one.after) for one in comparison.bins), default=0) or 1
    for one in comparison.bins:
        before, after = ("█" * -(-_BAR * number // largest) for number in (one.before, one.after))
        table.add_row(f"{one.lower} to {one.lower + BIN_POINTS}", f"{one.before:,}", before, f"{one.after:,}", after)
    return table


def _movers(comparison: Comparison) -> Table | str:
    if not comparison.movers:
        return f"No account that has a score both ways would have another one on {comparison.day}.\n"
    shown = count(len(comparison.movers), "account", "accounts")
    table = _table(
        f"The {shown} that would move most on {comparison.day}", "Account", "ARR", "Score\nas it is", "would be",
        "Change", "Band",
    )  # fmt: skip
    table.add_column("Owner", overflow="fold")
    table.columns[5].justify = "left"
    for each in comparison.movers:
        bands = BAND_TITLES[each.band_before]
        if each.band_after != each.band_before:
            bands += f" -> {BAND_TITLES[each.band_after]}"
        table.add_row(
            Text(clean(each.account_name) or clean(each.account_id)), "–" if each.arr is None else f"{each.arr:,.0f}",
            points(each.score_before), points(each.score_after), signed(each.score_after - each.score_before, 1), bands,
            Text(clean(each.owner) or "–"),
        )  # fmt: skip
    return table


def _months(comparison: Comparison) -> Table:
    table = _table(
        "All scored days", "Month", "Account-days", "Mean score\nas it is", "would be", "Account-days in\nanother band"
    )
    for each in comparison.months:
        table.add_row(
            each.month, f"{each.account_days:,}", points(each.mean_before), points(each.mean_after),
            f"{each.band_changes:,}",
        )  # fmt: skip
    table.add_row("all", f"{comparison.account_days:,}", "", "", f"{comparison.band_changes:,}")
    return table
