"""`health write-back`: the health of accounts is sent to the CRMs of config, or only shown."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

from dagster_project.config_file import suggest
from dagster_project.destinations.write_back import WriteBackError, due_of, write_back
from dagster_project.destinations.write_back_book import Record, WriteBackBook, open_book
from dagster_project.report.terminal import clean
from dagster_project.settings import Settings

ROWS_SHOWN = 10


def write(settings: Settings, target: str | None, *, dry_run: bool) -> int:
    """Send, or show what would be sent. Returns the exit code: 0, 2 nothing to do so, 4 a CRM did not take all."""
    targets = list(settings.write_back.targets)
    problem = _problem(settings, targets, target, dry_run=dry_run)
    if problem:
        typer.echo(problem, err=True)
        return 2
    named = [target] if target else targets
    try:
        with open_book(settings.write_back_book) as book:
            if dry_run:
                for name in named:
                    _show(settings, name, book)
                if not settings.write_back.enabled:
                    typer.echo("But write_back.enabled in pipeline.yml is false, so nothing is sent.")
                return 0
            return max(_send(settings, name, book) for name in named)
    except WriteBackError as error:
        typer.echo(str(error), err=True)
        return 2


def _problem(settings: Settings, targets: list[str], target: str | None, *, dry_run: bool) -> str | None:
    if not targets:
        return "write_back in pipeline.yml names no target; docs/how-to/write-back.md leads through it"
    if target is not None and target not in targets:
        return f"{target} is no target of write_back in pipeline.yml; {suggest(target, targets)}"
    if not dry_run and not settings.write_back.enabled:
        return "write_back.enabled in pipeline.yml is false, so nothing is sent. What would be: --dry-run"
    return None


def _show(settings: Settings, name: str, book: WriteBackBook) -> None:
    due = due_of(settings, name, book)
    without_id, records = due.without_id(), iter(due)
    first = list(itertools.islice(records, ROWS_SHOWN))
    for _ in records:  # counts them
        pass
    typer.echo(
        f"{name}: {due.changed} would be sent, {due.unchanged} unchanged; {without_id} accounts without an id there"
    )
    for record in first:
        typer.echo(f"  {_line(record)}")
    if due.changed > len(first):
        typer.echo(f"  and {due.changed - len(first)} more")


def _line(record: Record) -> str:
    values = (f"{name}: {'nothing' if value is None else value}" for name, value in record.values.items())
    return clean(" ".join(f"{record.account_id} ({record.customer_id})  {', '.join(values)}".split("\n")))


def _send(settings: Settings, name: str, book: WriteBackBook) -> int:
    done = write_back(settings, name, book, lambda: _now(settings))
    typer.echo(done.told)
    for one in done.refused[:ROWS_SHOWN]:
        typer.echo(clean(f"  refused account {one.account_id} ({one.customer_id}): {one.reason}"), err=True)
    for trouble in done.troubles:
        typer.echo(trouble, err=True)
    return 4 if done.troubles else 0


def _now(settings: Settings) -> datetime:
    return datetime.now(ZoneInfo(settings.timezone)).replace(tzinfo=None, microsecond=0)
