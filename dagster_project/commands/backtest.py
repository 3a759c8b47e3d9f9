"""`health backtest`: the scores of the published mart against what customers decided later."""

from __future__ import annotations

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from dagster_project.report.reading import ReportError, open_mart
from dagster_project.report.terminal import WIDTH, clean
from dagster_project.settings import Settings
from dagster_project.validation.backtest import BANDS, CASES, HORIZONS, MEASURES, Backtest, backtest, words_of

MEASURES_SHOWN = 5


def show(settings: Settings, days_before: int) -> int:
    """Print the backtest; `days_before` is the horizon told in full. Returns the exit code: 0, or 1 without a mart."""
    try:
        with open_mart(settings.mart_folder / "mart.duckdb") as mart:
            rows = mart.rows(CASES)
            single = mart.rows(MEASURES, {"days": days_before})
    except ReportError as error:
        typer.echo(str(error), err=True)
        return 1
    if not rows:
        typer.echo("There are no outcomes: map the entity `outcomes` (docs/reference/entities.md) to have a backtest.")
        return 0
    found = {days: backtest(rows, single if days == days_before else (), days) for days in HORIZONS}
    told = found[days_before]
    console = Console(width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False)
    for sentence in words_of(told):
        console.print(sentence)
    console.print()
    console.print(_horizons(list(found.values())))
    if told.cases:
        console.print(_bands(told))
    if told.measures:
        console.print(_measures(told))
    console.print(
        "Scores are of the day named, from what was known by its end. Intervals: 95 %, by drawing accounts 1,000 times "
        "with all their decisions; of shares Wilson's."
    )
    return 0


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table


def _horizons(found: list[Backtest]) -> Table:
    sizes, worst = ("Days before", "Cases", "Losses", "Base rate"), ("Lift in worst 10 %", "ARR caught there")
    table = _table("By days before the decision", *sizes, "AUC", "Interval", "Average precision", *worst)
    for one in found:
        told = one.auc.value == one.auc.value  # not NaN
        table.add_row(
            str(one.days_before), f"{one.cases:,}", f"{one.losses:,}", f"{one.base_rate:.1%}" if one.cases else "",
            *((f"{one.auc.value:.2f}", f"{one.auc.low:.2f}-{one.auc.high:.2f}", f"{one.precision.value:.2f}",
               f"{one.lift:.1f}x", f"{one.arr_captured:.0%}") if told else ("",) * 5),
        )  # fmt: skip
    return table


def _bands(one: Backtest) -> Table:
    table = _table(f"Losses by band, {one.days_before} days before", "Band", "Cases", "Lost", "Interval")
    for band in BANDS:
        share, of = one.by_band[band]
        lost = (f"{share.value:.1%}", f"{share.low:.1%}-{share.high:.1%}") if of else ("", "")
        table.add_row(band, f"{of:,}", *lost)
    return table


def _measures(one: Backtest) -> Table:
    table = _table(f"Single measures, {one.days_before} days before", "Measure", "AUC", "Cases")
    for name, auc, of in one.measures[:MEASURES_SHOWN]:
        table.add_row(clean(name), f"{auc:.2f}", f"{of:,}")
    return table
