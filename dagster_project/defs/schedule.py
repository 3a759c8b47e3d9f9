"""The day's job and its schedule."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from dagster_project.components.arrivals import files_landed, often
from dagster_project.components.common import RANGE_END, RANGE_START, daily_partitions, settings

DAILY_JOB = "score_day"
SCORES = dg.AssetKey(["marts", "fct_health_scores"])


@dg.definitions
def schedule() -> dg.Definitions:
    """Everything, for one day or a range of days in one run; daily at the time that config names."""
    job = dg.define_asset_job(
        DAILY_JOB,
        selection=dg.AssetSelection.all(),
        partitions_def=daily_partitions(),
        executor_def=dg.in_process_executor,
        description="Load what is new, score the day, publish, export and flag breaches. A range of days is one run.",
    )
    hour, minute = settings().schedule.at.split(":")

    @dg.schedule(
        name="daily",
        job=job,
        cron_schedule=f"{int(minute)} {int(hour)} * * *",
        execution_timezone=settings().schedule.timezone,
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if settings().schedule.enabled else dg.DefaultScheduleStatus.STOPPED
        ),
        description=(
            "Yesterday's scores, every day; and those of the days before that were missed, in the same run. On or off "
            "by schedule.enabled in pipeline.yml, until the switch here is used."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        yesterday = _day_before(context.scheduled_execution_time)
        if not daily_partitions().has_partition_key(yesterday):
            return dg.SkipReason(f"{yesterday} is not among the days that pipeline.yml scores (days.first, days.last)")
        first = _first_missed(context.instance, yesterday)
        if first == yesterday:
            return dg.RunRequest(partition_key=yesterday, run_key=yesterday)
        return dg.RunRequest(tags={RANGE_START: first, RANGE_END: yesterday}, run_key=yesterday)

    found = [files_landed(settings(), job)], [daily, *often(settings(), job)]
    return dg.Definitions(jobs=[job], sensors=found[0], schedules=found[1], executor=dg.in_process_executor)


def _day_before(at: datetime) -> str:
    """The last day that is over at `at`, where the company is: the schedule may be in another time zone."""
    return (at.astimezone(ZoneInfo(settings().timezone)).date() - timedelta(days=1)).isoformat()


def _first_missed(instance: dg.DagsterInstance, last: str) -> str:
    """The first day up to `last` that has no scores; `last` where none before it is missing."""
    scored = instance.get_materialized_partitions(SCORES)
    return min(next((day for day in daily_partitions().get_partition_keys() if day not in scored), last), last)
