"""The day's job and its schedule."""

from datetime import timedelta

import dagster as dg

from dagster_project.components.common import daily_partitions, settings

DAILY_JOB = "score_day"


@dg.definitions
def schedule() -> dg.Definitions:
    """Everything, for one day or a range of days in one run; daily at the time that config names."""
    job = dg.define_asset_job(
        DAILY_JOB,
        selection=dg.AssetSelection.all(),
        partitions_def=daily_partitions(),
        executor_def=dg.in_process_executor,
        description="Load what is new, score the day, publish, export and flag breaches.",
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
        description="Yesterday's scores, every day. On or off by schedule.enabled in pipeline.yml.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        yesterday = (context.scheduled_execution_time.date() - timedelta(days=1)).isoformat()
        if not daily_partitions().has_partition_key(yesterday):
            return dg.SkipReason(f"{yesterday} is not among the days that pipeline.yml scores (days.first, days.last)")
        return dg.RunRequest(partition_key=yesterday, run_key=yesterday)

    return dg.Definitions(jobs=[job], schedules=[daily], executor=dg.in_process_executor)
