"""What every asset here shares: settings, the writers' pool, owners, partitions, retries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from dagster_project.settings import Settings, load_settings

WAREHOUSE_POOL = "warehouse"  # one writer at a time; its limit of 1 stands in the instance's dagster.yaml
CRM = "crm"  # the first part of the key of what is written back to a CRM
PROGRESS = "› "  # a log message that begins so is one that the command line shows while a run works
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"  # tags of a run
OWNERS = ["team:data"]
STALE_HOURS = 36  # a daily run that has not come through for so long is missing
CONNECTOR_RETRIES = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@cache
def settings() -> Settings:
    """The settings of this process: read once."""
    return load_settings()


def now(settings: Settings) -> datetime:
    """The wall clock in the company's time zone, without an offset, to the second."""
    return datetime.now(ZoneInfo(settings.timezone)).replace(tzinfo=None, microsecond=0)


def last_day(settings: Settings) -> date:
    """The newest day that can be scored now."""
    return settings.last_day(now(settings).date())


@cache
def daily_partitions() -> dg.DailyPartitionsDefinition:
    """A day is a partition. It ends with `days.last` where config gives one, else it grows by a day each midnight."""
    days = settings().days
    return dg.DailyPartitionsDefinition(
        start_date=days.first.isoformat(),
        end_date=(days.last + timedelta(days=1)).isoformat() if days.last else None,
        timezone=settings().timezone,
    )


def freshness() -> dg.FreshnessPolicy | None:
    """Results should be no older than a day and a half where the source is live; a fixed last day has no age."""
    if settings().days.last:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=STALE_HOURS), warn_window=timedelta(hours=30))


def days_of_run(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The first and last day this run was asked for; the newest day where it was started without one."""
    try:
        asked = context.partition_key_range
    except dg.DagsterInvariantViolationError:
        newest = last_day(settings())
        return newest, newest
    return date.fromisoformat(asked.start), date.fromisoformat(asked.end)


def table(key: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, dg.TableMetadataValue]:
    """Metadata `key` that the UI shows as a table; nothing where there are no rows, which Dagster would refuse."""
    records = [dg.TableRecord(dict(zip(columns, map(_cell, row), strict=True))) for row in rows]
    return {key: dg.MetadataValue.table(records)} if records else {}


def _cell(value: Any) -> str | int | float | None:
    return value if isinstance(value, (int, float)) or value is None else str(value)
