"""Runs of the day's job in this process, on the company's Dagster instance: the UI shows them like any other."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg
from dagster._core.execution.execute_in_process_result import ExecuteInProcessResult

from dagster_project.commands.run import Progress
from dagster_project.components.alert_assets import MESSAGES, tell_of_failure
from dagster_project.components.common import CRM, PROGRESS, RANGE_END, RANGE_START, last_day
from dagster_project.components.inputs import inputs_hash
from dagster_project.components.instance import prepare_instance
from dagster_project.components.recovery import PID_TAG, release_dead_runs
from dagster_project.connectors.files import prepare
from dagster_project.destinations.alert_book import open_book
from dagster_project.destinations.delivery import Delivered, would_send
from dagster_project.retention import told
from dagster_project.run_days import days_to_score, last_scored, newest_scored, too_late
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse

DELIVERY = frozenset({"publish", "activate"})  # the groups that make something for others from finished marts


class Execution:
    """The code location and the instance, loaded once; each method that runs returns None or what went wrong."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        prepare_instance(settings)
        from dagster_project.definitions import defs
        from dagster_project.defs.schedule import DAILY_JOB

        self._settings, self._progress = settings, progress
        self._instance = dg.DagsterInstance.get()
        release_dead_runs(self._instance)
        definitions = defs()
        self._job = definitions.resolve_job_def(DAILY_JOB)
        graph = definitions.resolve_asset_graph()
        keys = graph.get_all_asset_keys()
        self._ingest = [key for key in keys if graph.get(key).group_name == "ingest" and graph.get(key).is_executable]
        self._others = [key for key in keys if key not in set(self._ingest) and graph.get(key).is_executable]
        self._delivery = [key for key in self._others if graph.get(key).group_name in DELIVERY]
        self._refused: list[str] = []  # of the last run: what CRMs did not take, in words

    def ingest(self) -> str | None:
        """Load files and configuration."""
        return self._run(self._ingest, {})

    def days_due(self, first: date | None, last: date | None) -> tuple[date, date] | None:
        """The range asked for, or what is due by the newest day; None if nothing is."""
        newest = last or last_day(self._settings)
        if first:
            return first, newest
        with open_warehouse(self._settings) as connection:
            prepare(connection)
            return days_to_score(connection, self._settings, newest, inputs_hash(self._settings))

    def remarks(self) -> list[str]:
        """What a person should know though nothing is due: facts that came too late, days scored past the last one."""
        newest = last_day(self._settings)
        with open_warehouse(self._settings) as connection:
            late = too_late(connection, newest - timedelta(days=self._settings.look_back_days)).told(self._settings)
            dropped = told(connection, self._settings)
            scored_to = newest_scored(connection)
        past = ""
        if scored_to and scored_to > newest:
            past = (
                f"The marts end at {scored_to}: days after {newest} (days.last) were scored before and stay. To be rid "
                f"of them, move {self._settings.home} away and run again."
            )
        return [remark for remark in (late, *dropped, past) if remark]

    def troubles(self) -> tuple[list[str], list[str]]:
        """What to mend though the run goes on: providers that could not be read, fields that they no longer give."""
        if not self._settings.sources.providers:
            return [], []
        from dagster_project.components.provider_assets import troubles

        with open_warehouse(self._settings) as connection:
            return troubles(connection, self._settings)

    def score(self, first: date, last: date) -> str | None:
        """Score the days in one run, publish, export, flag breaches."""
        return self._run(self._others, {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()})

    def is_delivered(self) -> bool:
        """Whether all that is scored is published and exported, and still there.

        A run may have been killed between the two, and a person may have cleared the folder.
        """
        if not all(path.exists() for path in self._settings.delivered_paths):
            return False
        with open_warehouse(self._settings) as connection:
            scored_at = last_scored(connection)
        latest = [self._instance.get_latest_materialization_event(key) for key in self._delivery]
        return all(event is not None and event.timestamp >= scored_at for event in latest)

    def deliver(self) -> str | None:
        """Publish, export and flag breaches, from the marts as they are."""
        return self._run(self._delivery, {})

    def untold(self) -> list[dg.AssetKey]:
        """The assets that have to tell something that no channel, or no CRM, has taken yet."""
        found = [MESSAGES] if self._has_messages() else []
        if self._settings.write_back.enabled:
            from dagster_project.components.crm_assets import not_taken

            found += not_taken(self._settings)
        return found

    def _has_messages(self) -> bool:
        delivery, mart = load_alerts(self._settings.alerts).delivery, self._settings.mart_folder / "mart.duckdb"
        if not delivery.enabled or not mart.is_file():
            return False
        with open_book(self._settings.alert_book) as book:
            return bool(would_send(mart, delivery, book))

    def tell(self, keys: Sequence[dg.AssetKey]) -> str | None:
        """Send what these assets have to tell, from the published mart as it is."""
        return self._run(keys, {})

    def unsent(self) -> list[str]:
        """A sentence for each channel, and each CRM, that did not take what it was sent."""
        if not self._settings.alert_book.exists():
            return self._refused
        with open_book(self._settings.alert_book) as book:
            return Delivered(stuck=book.stuck()).troubles + self._refused

    def _run(self, keys: Sequence[dg.AssetKey], tags: dict[str, str]) -> str | None:
        run_id = str(uuid.uuid4())
        failures: list[str] = []
        self._instance.add_event_listener(run_id, lambda entry: self._listen(entry, failures))
        result: ExecuteInProcessResult = self._job.execute_in_process(
            instance=self._instance,
            asset_selection=list(keys),
            tags={**tags, PID_TAG: str(os.getpid())},
            run_id=run_id,
            raise_on_error=False,
        )
        checks = result.get_asset_check_evaluations()
        self._refused = [str(one.description) for one in checks if one.asset_key.path[0] == CRM and not one.passed]
        if result.success:
            return None
        failed = [event.step_key for event in result.all_events if event.is_step_failure and event.step_key]
        tell_of_failure(self._settings, run_id, failed)
        return "The run failed.\n" + "\n".join(failures or ["No step said why; see the log."])

    def _listen(self, entry: dg.EventLogEntry, failures: list[str]) -> None:
        event = entry.dagster_event
        if event is None:
            if entry.user_message.startswith(PROGRESS):
                self._progress.say("  " + entry.user_message.removeprefix(PROGRESS).splitlines()[0])
        elif event.is_step_failure:
            failures.append(f"{event.step_key}: {_reason(event)}")
        elif (
            event.is_successful_output
            and event.step_key
            and event.step_key.startswith(("published", "exports", "alerts", CRM))
        ):
            self._progress.say(f"  {event.step_key.replace('__', '/')}: done")


def _reason(event: dg.DagsterEvent) -> str:
    """The innermost message of a failure, without its traceback: that is in the log."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else "failed without a message"
