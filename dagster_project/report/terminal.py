"""The summary as text for a terminal: readable at 100 columns, meaningful without colour."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagster_project.report.summary import BAND_TITLES, Summary, count, percent, points, signed

WIDTH = 100
_ISSUES_SHOWN = 8


def render_text(summary: Summary, paths: Mapping[str, Path | str]) -> str:
    """The summary as plain text of at most 100 columns, without colour codes.

    `paths` maps what a file is (`Published mart`) to where it is, printed at the end in the given order.
    """
    # No markup: a name such as [bold] is a name.
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    if summary.day is None:
        console.print("No account was scored: the sources hold no customer on the days that config names.")
    else:
        scorecard = f" by scorecard {clean(summary.scorecard)}" if summary.scorecard else ""
        console.print(Text(f"Customer health on {summary.day}{scorecard}"), end="\n\n")
        console.print(_bands(summary))
        console.print(_at_risk(summary))
        console.print(
            f"Breaches of alert rules: {summary.breaches_opened:,} opened on {summary.day}; "
            f"{summary.breaches_open:,} open now.",
            end="\n\n",
        )
        console.print(Text(clean(summary.coverage_note)), end="\n\n")
    if summary.input_issues:
        console.print(_issues(summary))
    _print_paths(console, paths)
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def clean(text: str | None) -> str:
    """The text without control, direction and escape characters: a customer's name must not drive the terminal."""
    kept = (" " if char in "\t\r\n\u2028\u2029" else char for char in text or "")
    # Cf holds the direction overrides, but also the joiners inside emoji and Indic words, which are wanted.
    return "".join(c for c in kept if c in "\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def _money(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount:,.0f}"


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)


def _bands(summary: Summary) -> Table:
    """Accounts by band and ARR, with the total and a bar for the share."""
    table = _table("Accounts by band")
    table.add_column("Band", no_wrap=True)
    for title in ("Accounts", "ARR", "Share of ARR"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for total in summary.bands:
        bar = "█" * round(30 * (total.arr_share or 0))
        name = BAND_TITLES.get(total.band, clean(total.band))
        table.add_row(name, f"{total.accounts:,}", _money(total.arr), percent(total.arr_share), bar)
    note = f"{summary.accounts_without_arr:,} without a known ARR" if summary.accounts_without_arr else ""
    table.add_row("all", f"{summary.accounts:,}", _money(summary.arr), "", note)
    return table


def _at_risk(summary: Summary) -> Table | str:
    """The accounts most at risk, one block each: who, how much, and what drives the score down."""
    if not summary.at_risk:
        return "No account is red or yellow.\n"
    table = _table(f"The {count(len(summary.at_risk), 'account', 'accounts')} most at risk")
    table.add_column("Account", width=22, no_wrap=True, overflow="ellipsis")
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Band", no_wrap=True)
    table.add_column("30-day\nchange", justify="right", no_wrap=True)
    table.add_column("ARR", justify="right", no_wrap=True)
    table.add_column("What drives it down\n(points lost)", ratio=1)
    for each in summary.at_risk:
        trend = "–" if each.trend_30d is None else signed(each.trend_30d, 0)
        table.add_row(
            Text(clean(each.account_name) or clean(each.account_id)),
            points(each.score),
            BAND_TITLES.get(each.band, clean(each.band)),
            trend,
            _money(each.arr),
            Text(clean(each.drivers_down) or "–"),
        )
    return table


def _issues(summary: Summary) -> Table:
    """What was wrong in the input, with the first row that has it: outages, rows set aside, then the most frequent."""
    table = _table("Found in the input (marts.fct_input_issues)")
    table.add_column("Rows", justify="right", no_wrap=True)
    table.add_column("What", ratio=3)
    table.add_column("First", ratio=2, overflow="fold")
    for issue in summary.input_issues[:_ISSUES_SHOWN]:
        table.add_row(f"{issue.rows:,}", Text(clean(issue.title)), Text(clean(issue.example) or "–"))
    left = len(summary.input_issues) - _ISSUES_SHOWN
    if left > 0:
        table.add_row("", f"... and {count(left, 'more kind', 'more kinds')}", "")
    return table


def _print_paths(console: Console, paths: Mapping[str, Path | str]) -> None:
    """Where the results are; never wrapped or cut, so that a path can be copied."""
    width = max((len(name) for name in paths), default=0)
    for name, path in paths.items():
        console.print(Text(f"{name:<{width}}  {path}"), soft_wrap=True)
