"""The batched event log writes what Dagster's own writes, only faster.

The stock class of the installed Dagster is the reference in every test: a release that stores something new
turns these red instead of leaving holes in the log.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import BATCH_WRITABLE_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from dagster_project.components.event_log import BatchedSqliteEventLogStorage, BatchedSqliteStorage

DAYS = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-03-01")
RANGE = {"dagster/asset_partition_range_start": "2025-01-01", "dagster/asset_partition_range_end": "2025-01-20"}


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def facts(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Partitioned, with metadata and a data version, which becomes an indexed tag."""
    return dg.MaterializeResult(metadata={"days": len(context.partition_keys)}, data_version=dg.DataVersion("v1"))


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[facts])
def scores(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Partitioned and downstream; logs an observation too."""
    context.log_event(dg.AssetObservation("outside", partition="2025-01-03", tags={"dagster/data_version": "o1"}))
    return dg.MaterializeResult()


@dg.asset_check(asset=scores)
def scores_are_whole() -> dg.AssetCheckResult:
    """A check: planned in the batch at the run's start, evaluated on its own."""
    return dg.AssetCheckResult(passed=True)


@dg.asset(deps=[scores])
def published() -> None:
    """Not partitioned."""


def backfill(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Twenty days of both partitioned assets in one run, the check and the unpartitioned asset."""
    definitions = dg.Definitions(
        assets=[facts, scores, published],
        asset_checks=[scores_are_whole],
        jobs=[dg.define_asset_job("daily")],
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("daily").execute_in_process(instance=instance, tags=RANGE)


@pytest.fixture(scope="module")
def events() -> Sequence[EventLogEntry]:
    """Every event of one backfill, in order, as Dagster made them."""
    with dg.DagsterInstance.ephemeral() as instance:
        return instance.all_logs(backfill(instance).run_id)


@pytest.fixture(autouse=True)
def _no_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")  # remembers the value to put back
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")


def batches(events: Sequence[EventLogEntry]) -> Iterator[list[EventLogEntry]]:
    """The events cut as the instance cuts them: runs of batch-writable events, and the rest one by one."""
    for writable, group in groupby(
        events, lambda e: e.is_dagster_event and e.dagster_event_type in BATCH_WRITABLE_EVENTS
    ):
        if writable:
            yield list(group)
        else:
            yield from ([event] for event in group)


def dump(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all databases in `folder`, except the times at which the rows themselves were written."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for path in sorted(folder.glob("*.db")):
        with sqlite3.connect(path) as con:
            for (table,) in con.execute("select name from sqlite_master where type = 'table' order by name").fetchall():
                columns = [name for _, name, *_ in con.execute(f"pragma table_info('{table}')")]
                kept = [c for c in columns if c not in ("create_timestamp", "migration_completed")]
                listed = ", ".join(f'"{c}"' for c in kept)
                rows[f"{path.name}:{table}"] = con.execute(f'select {listed} from "{table}" order by rowid').fetchall()
        con.close()
    return rows


def test_same_rows_as_the_stock_class(tmp_path: Path, events: Sequence[EventLogEntry]) -> None:
    stock = SqliteEventLogStorage(str(tmp_path / "stock"))
    ours = BatchedSqliteEventLogStorage(str(tmp_path / "ours"))
    for event in events:
        stock.store_event(event)
    sizes = []
    for batch in batches(events):
        sizes.append(len(batch))
        ours.store_event_batch(batch) if len(batch) > 1 else ours.store_event(batch[0])

    assert max(sizes) >= 20, "the backfill no longer sends batches: this test proves nothing"
    expected = dump(tmp_path / "stock")
    filled = {name.partition(":")[2] for name, rows in expected.items() if rows}
    assert {"event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"} <= filled
    assert dump(tmp_path / "ours") == expected


def test_a_batch_of_every_kind_of_event_is_the_same_too(tmp_path: Path, events: Sequence[EventLogEntry]) -> None:
    stock = SqliteEventLogStorage(str(tmp_path / "stock"))
    ours = BatchedSqliteEventLogStorage(str(tmp_path / "ours"))
    for event in events:
        stock.store_event(event)
    ours.store_event_batch(events)
    assert dump(tmp_path / "ours") == dump(tmp_path / "stock")


def test_a_batch_that_fails_leaves_nothing(
    tmp_path: Path, events: Sequence[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = BatchedSqliteEventLogStorage(str(tmp_path))
    batch = max(batches(events), key=len)
    ours.store_event(events[0])
    before = dump(tmp_path)
    calls = iter(range(1000))
    store = SqliteEventLogStorage._store_asset_event

    def fail_at_the_fifth(self: Any, *args: Any) -> None:
        if next(calls) == 4:
            raise OSError("disk full")
        store(self, *args)

    monkeypatch.setattr(SqliteEventLogStorage, "_store_asset_event", fail_at_the_fifth)
    with pytest.raises(OSError, match="disk full"):
        ours.store_event_batch(batch)
    assert dump(tmp_path) == before
    ours.store_event_batch(batch)
    assert len(ours.get_logs_for_run(events[0].run_id)) == 1 + len(batch)


def test_the_index_is_committed_last(
    tmp_path: Path, events: Sequence[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = BatchedSqliteEventLogStorage(str(tmp_path))
    committed: list[str] = []
    connect = SqliteEventLogStorage._connect

    @contextmanager
    def noted(self: Any, shard: str) -> Iterator[Any]:
        with connect(self, shard) as connection:
            yield connection
        committed.append(shard)

    monkeypatch.setattr(SqliteEventLogStorage, "_connect", noted)
    ours.store_event_batch(max(batches(events), key=len))
    assert committed == [events[0].run_id, "index"], "a crash in between must not leave partitions that look made"


def test_threads_that_write_at_once_neither_lose_nor_lock(tmp_path: Path, events: Sequence[EventLogEntry]) -> None:
    ours = BatchedSqliteEventLogStorage(str(tmp_path))
    batch = [e for e in events if e.is_dagster_event and e.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION]
    writers = [
        threading.Thread(target=ours.store_event_batch, args=(batch,), daemon=True),
        threading.Thread(target=EventLogStorage.store_event_batch, args=(ours, batch), daemon=True),  # one by one
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert not any(writer.is_alive() for writer in writers)
    assert len(ours.get_logs_for_run(batch[0].run_id)) == 2 * len(batch)


def instance_at(home: Path, *, batched: bool) -> dg.DagsterInstance:
    """An instance read from a dagster.yaml in `home`, as the command line and the UI read it."""
    module, name = BatchedSqliteStorage.__module__, BatchedSqliteStorage.__name__
    storage = f"storage: {{custom: {{module: {module}, class: {name}, config: {{base_dir: '{home}'}}}}}}\n"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + (storage if batched else ""))
    return dg.DagsterInstance.from_config(str(home))


def answers(instance: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    """What the UI asks: state of partitions and assets, latest events, checks, the run's own counts."""
    keys = [dg.AssetKey("facts"), dg.AssetKey("scores"), dg.AssetKey("published")]
    stats = instance.get_run_stats(run_id)
    records = {record.asset_entry.asset_key: record.asset_entry for record in instance.get_asset_records(keys)}
    check = instance.event_log_storage.get_latest_asset_check_execution_by_key([scores_are_whole.check_key])
    return {
        "partitions": {key: instance.get_materialized_partitions(key) for key in keys},
        "latest": {key: records[key].last_materialization.asset_materialization.partition for key in keys},  # type: ignore[union-attr]
        "last_run": {key: records[key].last_run_id == run_id for key in keys},
        "observed": [r.partition_key for r in instance.fetch_observations(dg.AssetKey("outside"), limit=9).records],
        "fetched": [r.partition_key for r in instance.fetch_materializations(keys[1], limit=99).records],
        "tags": instance.event_log_storage.get_latest_tags_by_partition(
            keys[0], DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
        ),
        "planned": instance.event_log_storage.get_latest_planned_materialization_info(keys[1]).run_id == run_id,  # type: ignore[union-attr]
        "check": {key: record.status for key, record in check.items()},
        "stats": (stats.materializations, stats.steps_succeeded, stats.steps_failed),
        "log": [entry.dagster_event_type for entry in instance.all_logs(run_id)],
        "steps": [(s.step_key, s.status) for s in instance.get_run_step_stats(run_id)],
    }


def test_an_instance_answers_the_ui_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[int] = []
    original = BatchedSqliteEventLogStorage.store_event_batch

    def counted(self: BatchedSqliteEventLogStorage, events: Sequence[EventLogEntry]) -> None:
        stored.append(len(events))
        original(self, events)

    monkeypatch.setattr(BatchedSqliteEventLogStorage, "store_event_batch", counted)
    found = []
    for batched in (False, True):
        with instance_at(tmp_path / str(batched), batched=batched) as instance:
            assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage) is batched
            found.append(answers(instance, backfill(instance).run_id))
    assert found[0] == found[1]
    assert len(found[1]["partitions"][dg.AssetKey("scores")]) == 20
    assert stored.count(20) == 2, "the two partitioned assets should each arrive as one batch"


def test_a_user_s_own_batch_size_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    BatchedSqliteEventLogStorage(str(tmp_path))
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "7"


def test_a_dagster_built_differently_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SqliteEventLogStorage, "store_event_batch", lambda self, events: None)
        with pytest.raises(RuntimeError, match="in batches itself"):
            BatchedSqliteEventLogStorage(str(tmp_path / "a"))
    start = SqliteEventLogStorage.__init__

    def start_with_another_lock(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        self._db_lock = threading.Semaphore()

    monkeypatch.setattr(SqliteEventLogStorage, "__init__", start_with_another_lock)
    with pytest.raises(RuntimeError, match="no plain `_db_lock`"):
        BatchedSqliteEventLogStorage(str(tmp_path / "b"))
