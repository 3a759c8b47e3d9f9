"""How long a one-run backfill waits for Dagster's event log: the stock SQLite storage against ours.

python -m benchmarks.event_log [days]     (two partitioned assets that do nothing; prints both)
"""

import datetime
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dagster as dg

FIRST = datetime.date(2025, 1, 1)
DAYS = dg.DailyPartitionsDefinition(FIRST.isoformat(), end_date="2030-01-01")
OURS = """
storage:
  custom: {{module: dagster_project.components.event_log, class: BatchedSqliteStorage, config: {{base_dir: '{}'}}}}
"""


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def facts() -> dg.MaterializeResult[Any]:
    """First of the two."""
    return dg.MaterializeResult(metadata={"rows": 1})


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[facts])
def scores() -> dg.MaterializeResult[Any]:
    """Second of the two."""
    return dg.MaterializeResult(metadata={"rows": 1})


def seconds(days: int, batched: bool) -> float:
    """Seconds of one backfill run of `days` days on a new Dagster home."""
    definitions = dg.Definitions([facts, scores], jobs=[dg.define_asset_job("daily")], executor=dg.in_process_executor)
    tags = {
        "dagster/asset_partition_range_start": FIRST.isoformat(),
        "dagster/asset_partition_range_end": (FIRST + datetime.timedelta(days - 1)).isoformat(),
    }
    with tempfile.TemporaryDirectory() as home:
        Path(home, "dagster.yaml").write_text("telemetry: {enabled: false}\n" + (OURS.format(home) if batched else ""))
        with dg.DagsterInstance.from_config(home) as instance:
            start = time.perf_counter()
            definitions.resolve_job_def("daily").execute_in_process(instance=instance, tags=tags)
            return time.perf_counter() - start


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 365
    for name, batched in (("stock", False), ("batched", True)):
        print(f"{name:8} {count} days x 2 assets: {seconds(count, batched):6.1f} s")
