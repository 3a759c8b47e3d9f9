"""What keeps `home` from growing for ever: raw usage that config no longer keeps, free space, runs of long ago."""

from __future__ import annotations

import dagster as dg
import duckdb
from dagster._core.instance.utils import RUNLESS_RUN_ID

from dagster_project.compaction import CompactionError, compact
from dagster_project.components import common
from dagster_project.components.event_log import at_once
from dagster_project.retention import drop_old_usage
from dagster_project.run_days import newest_scored
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse

RUNS_KEPT = 100  # of the newest, in Dagster's own store: a daily run is two of them, of 2 MB each
RUNS_REMOVED_AT_ONCE = 20  # so that no run is slow because many were kept before
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tidy_warehouse(context: dg.AssetExecutionContext, settings: Settings) -> None:
    """Drop what retention does not keep, and make the file small where most of it is free; call it after scoring.

    A copy that does not succeed is no failure of the run: the file stays as it was and the next run tries again.
    """
    with open_warehouse(settings) as connection:
        newest = newest_scored(connection)
        dropped = drop_old_usage(connection, settings, newest) if newest else 0
    if dropped:
        context.log.info(
            f"{common.PROGRESS}{dropped} rows of raw usage dropped: known more than "
            f"{settings.retention.usage_events_days} days before {newest}; their daily facts stay"
        )
    try:
        compacted = compact(settings)
    except (CompactionError, duckdb.Error, OSError) as error:
        context.log.warning(f"The warehouse file could not be made smaller; it is as it was. {error}")
        return
    if compacted:
        context.log.info(
            f"{common.PROGRESS}The warehouse file was mostly free space: copied, "
            f"{compacted.before / 1e6:.0f} MB before, {compacted.after / 1e6:.0f} MB now"
        )


def remove_old_runs(instance: dg.DagsterInstance, kept: int = RUNS_KEPT) -> int:
    """Remove runs older than the newest `kept` from Dagster's store, with their events; returns how many.

    The days that they made stay marked as made, by an event without a run: the schedule and the UI ask for that.
    """
    ended = instance.get_runs(filters=dg.RunsFilter(statuses=_ENDED))  # newest first
    old = ended[kept:][-RUNS_REMOVED_AT_ONCE:]
    for run in reversed(old):
        made: dict[tuple[dg.AssetKey, str], None] = {}
        for record in instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records:
            event = record.event_log_entry.dagster_event
            if event is not None and event.asset_key is not None and event.partition is not None:
                made[event.asset_key, event.partition] = None
        with at_once(instance, RUNLESS_RUN_ID):  # a backfill of a year made 730: 13 s if each were committed alone
            for key, day in made:
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, partition=day, description="The run that made it has been removed.")
                )
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        instance.delete_run(run.run_id)
    return len(old)
