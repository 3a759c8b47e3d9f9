"""What re-scores the newest day between the daily runs: files that land, and a short schedule."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from dagster_project.components import common
from dagster_project.connectors.source_files import stamp
from dagster_project.settings import Settings

LOOK_EVERY_SECONDS = 10
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def files_landed(settings: Settings, job: dg.UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Looks at the folder of files: what has landed, and was the same at two looks, is loaded and scored.

    Its cursor holds the folder as last seen and as last asked to be loaded. While a run is under way nothing is asked
    for: it may load those files itself, and if not, the next look sees them.
    """

    @dg.sensor(
        name="files_landed",
        job=job,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if settings.schedule.when_files_land else dg.DefaultSensorStatus.STOPPED
        ),
        description="Loads files that have landed, and scores the newest day again with all days they touch. On or off "
        "by schedule.when_files_land in pipeline.yml, until the switch here is used.",
    )
    def landed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        source = settings.sources.files
        if source is None:
            return dg.SkipReason("pipeline.yml names no files")
        seen, _, asked = (context.cursor or "").partition(" ")
        now = stamp(source)
        if now == asked:
            return dg.SkipReason("nothing has landed")
        context.update_cursor(f"{now} {asked}")
        if now != seen:
            return dg.SkipReason("files have landed; they are loaded when they have stopped growing")
        if context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=_UNFINISHED)):
            return dg.SkipReason("files have landed, and a run is under way")
        context.update_cursor(f"{now} {now}")
        return _newest_day(settings)

    return landed


def often(settings: Settings, job: dg.UnresolvedAssetJobDefinition) -> Iterator[dg.ScheduleDefinition]:
    """The short schedule, where config asks for one: it never waits behind a run that is still under way."""
    minutes = settings.schedule.every_minutes
    if minutes is None:
        return

    @dg.schedule(
        name="often",
        job=job,
        cron_schedule=f"*/{minutes} * * * *" if minutes < 60 else f"0 */{minutes // 60} * * *",
        execution_timezone=settings.schedule.timezone,
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if settings.schedule.enabled else dg.DefaultScheduleStatus.STOPPED
        ),
        description="Asks all sources for what is new, and scores the newest day again with all days that it touches.",
    )
    def in_between(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=_UNFINISHED)):
            return dg.SkipReason("a run is under way")
        return _newest_day(settings)

    yield in_between


def _newest_day(settings: Settings) -> dg.RunRequest | dg.SkipReason:
    day = common.last_day(settings)
    if day < settings.days.first or (settings.days.last is None and day >= common.now(settings).date()):
        return dg.SkipReason(f"the first day to score, {settings.days.first}, is not over yet")
    return dg.RunRequest(partition_key=day.isoformat())
