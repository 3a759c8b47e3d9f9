"""`health run`: the pipeline through Dagster, in this process, with progress; then the result in words."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TextIO

from dagster_project.settings import Settings

DEFAULT_CONFIG = "config/pipeline.yml"  # as `make run` names it


def run_pipeline(settings: Settings, first: date | None, last: date | None, *, quiet: bool) -> int:
    """Run what is due and print the result.

    Returns the exit code: 0 done, 1 the run failed, 2 the range is wrong, 3 another run is under way, 4 done, but a
    provider could not be read, or a channel or a CRM did not take what it was sent.
    """
    started = time.monotonic()
    progress = Progress(sys.stdout, quiet=quiet)
    problem = _range_problem(settings, first, last)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    from dagster_project.components.recovery import RunUnderWayError, only_run

    try:
        with only_run(settings):
            return _run_under_lock(settings, first, last, progress, started)
    except RunUnderWayError as error:
        print(error, file=sys.stderr)
        return 3


def _run_under_lock(
    settings: Settings, first: date | None, last: date | None, progress: Progress, started: float
) -> int:
    progress.say(f"{settings.company}: loading what is new")
    from dagster_project.commands.execution import Execution

    log = settings.home / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    with _output_to(log):
        execution = Execution(settings, progress)
        failed = execution.ingest()
        due = None if failed else execution.days_due(first, last)
        remarks = [] if failed or due else execution.remarks()
        unread, vanished = ([], []) if failed else execution.troubles()
        is_stopped = not failed and due is None and not execution.is_delivered()  # a run was killed after scoring
        if due is not None:
            progress.say("Scoring the days that are due")
            failed = execution.score(*due)
        elif is_stopped:
            progress.say("Every day is scored, but not everything of it is published or exported: doing that")
            failed = execution.deliver()
        elif not failed and (untold := execution.untold()):
            progress.say("No day is due, but people or CRMs are to be told of something: doing that")
            is_stopped, failed = True, execution.tell(untold)
        unsent = [] if failed else execution.unsent()
    if failed:
        progress.say("")
        print(f"{failed}\nThe published mart is as it was. Full log: {log}", file=sys.stderr)
        return 1
    for remark in remarks:
        progress.say(remark)
    if due is None and not is_stopped:
        progress.say("Nothing is due: every day is scored, configuration unchanged. Nothing was written.")
    progress.say(f"Done in {time.monotonic() - started:.0f} s\n")
    _print_result(settings)
    for told in (*vanished, *unread, *unsent):
        print(f"\n{told}", file=sys.stderr)
    return 4 if unread or unsent else 0


def _range_problem(settings: Settings, first: date | None, last: date | None) -> str | None:
    from dagster_project.components.common import last_day

    newest = last_day(settings)
    for name, day in (("--from", first), ("--to", last)):
        if day is not None and not settings.days.first <= day <= newest:
            return (
                f"{name} {day} is outside the days that can be scored, {settings.days.first} to {newest} "
                "(days.first and days.last in pipeline.yml)."
            )
    if first and last and last < first:
        return f"--to {last} is before --from {first}."
    if last and not first:
        return "--to needs --from: which days are to be scored again?"
    return None


def _print_result(settings: Settings) -> None:
    from dagster_project.report.summary import portfolio_summary
    from dagster_project.report.terminal import clean, render_text

    mart = settings.mart_folder / "mart.duckdb"
    summary = portfolio_summary(mart)
    config, data = _given("HEALTH_CONFIG"), _given("HEALTH_DATA")
    account = shlex.quote(clean(summary.at_risk[0].account_id)) if summary.at_risk else "ACCOUNT"
    paths: dict[str, Path | str] = {
        "Published mart": mart,
        "Parquet": settings.mart_folder / "parquet" / "current",
        "Exports": settings.exports_folder,
        "Health page": settings.page_path.as_uri(),
        "Dagster UI": "make ui" + (config and f" CONFIG={config}") + (data and f" DATA={data}"),
        "One account": (config and f"HEALTH_CONFIG={config} ") + f".venv/bin/health explain {account}",
    }
    print(render_text(summary, paths), end="")


def _given(variable: str) -> str:
    """A variable of the environment as the next command has to be given it; empty where the default does."""
    value = os.environ.get(variable, "")
    return shlex.quote(value) if value and value != DEFAULT_CONFIG else ""


class Progress:
    """Lines on the terminal while the run works; `quiet` keeps them back."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._stream, self._quiet = stream, quiet
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """One line, with the seconds since the start."""
        if not self._quiet:
            print(f"[{time.monotonic() - self._started:5.1f} s] {text}" if text else "", file=self._stream, flush=True)


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Dagster's and dbt's own output goes to a file: the terminal shows progress and the result."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for old in sorted(log.parent.glob("run-*.log"))[:-20]:
        old.unlink(missing_ok=True)
    with (
        log.open("w") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
