"""Runs of long ago leave Dagster's store; the days they made stay made."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.components.event_log import BatchedSqliteStorage
from dagster_project.components.upkeep import remove_old_runs

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
SCORES = dg.AssetKey("scores")


@dg.asset(partitions_def=DAYS)
def scores() -> None:
    """A day's scores."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """An instance with the storage that the project uses, and five runs of a day each."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{custom: {{module: {BatchedSqliteStorage.__module__}, class: {BatchedSqliteStorage.__name__}, "
        f"config: {{base_dir: {tmp_path}}}}}}}\ntelemetry: {{enabled: false}}\n"
    )
    made = dg.DagsterInstance.get()
    for day in range(1, 6):
        assert dg.materialize([scores], partition_key=f"2026-01-0{day}", instance=made).success
    return made


def test_old_runs_go_with_their_files_and_their_days_stay_made(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    made = instance.get_materialized_partitions(SCORES)
    newest = [run.run_id for run in instance.get_runs()][:2]
    assert remove_old_runs(instance, kept=2) == 3
    assert [run.run_id for run in instance.get_runs()] == newest
    assert instance.get_materialized_partitions(SCORES) == made
    assert len(made) == 5
    shards = {path.stem for path in (tmp_path / "history" / "runs").glob("*-*.db")}
    assert shards == set(newest)
    assert {path.name for path in (tmp_path / "storage").iterdir()} <= set(newest) | {scores.key.path[-1]}
    assert remove_old_runs(instance, kept=2) == 0


def test_a_run_that_has_not_ended_stays(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(
        dg.Definitions(assets=[scores], jobs=[dg.define_asset_job("job")]).resolve_job_def("job"),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert remove_old_runs(instance, kept=0) == 5
    assert [left.run_id for left in instance.get_runs()] == [run.run_id]
