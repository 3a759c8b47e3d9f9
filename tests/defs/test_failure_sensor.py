"""The sensors that tell the data owner of a run that failed, or never came: real runs, and a real receiver."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from dagster_project.components import common
from dagster_project.components.alert_assets import failure_sensor, lateness_sensor
from dagster_project.components.results import MART
from dagster_project.settings import Settings, load_settings
from tests.unit.alert_company import SECRET, receiver


@dg.op
def stumbles() -> None:
    raise ValueError("Jane Roe, jane@acme.example")


@dg.job
def fails() -> None:
    stumbles()


def settings_of(folder: Path, *, enabled: bool = True, **days: str) -> Settings:
    files = {"folder": str(folder), "entities": {"accounts": {"files": "a.csv", "columns": {
        "account_id": "id", "created_on": "since"}}}}  # fmt: skip
    config = {"company": "Acme", "home": str(folder / "home"), "days": {"first": "2026-01-01", **days},
              "sources": {"files": files}, "alerts": str(folder / "alerts.yml")}  # fmt: skip
    (folder / "pipeline.yml").write_text(yaml.safe_dump(config))
    hook = {"webhook": "env:HOOK", "secret": "env:HOOK_SECRET"}
    delivery = {"enabled": enabled, "channels": {"data": hook}, "routes": [{"to": ["data"]}], "data_owner": "data"}
    (folder / "alerts.yml").write_text(yaml.safe_dump({"delivery": delivery}))
    return load_settings(folder / "pipeline.yml", {})


@pytest.mark.parametrize("enabled", [True, False])
def test_a_failed_run_is_told_without_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    settings = settings_of(tmp_path, enabled=enabled)
    with receiver() as took, dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("HOOK", took.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        result = fails.execute_in_process(instance=instance, raise_on_error=False)
        (failure,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failed", dagster_event=failure, dagster_instance=instance, dagster_run=result.dagster_run
        ).for_run_failure()
        skipped = failure_sensor(settings)(context)
    if enabled:
        assert skipped.skip_message == "data has been told"
        assert took.titles[0].endswith("a run failed")
        assert "It failed at: stumbles." in took.got[0][1]["text"]
        assert "Jane" not in str(took.got)
    else:
        assert "so nobody is told" in skipped.skip_message
        assert took.got == []


def test_scores_that_are_late_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path)
    mart = settings.mart_folder / "mart.duckdb"
    mart.parent.mkdir(parents=True)
    with duckdb.connect(str(mart)) as con:
        con.execute("create schema marts; create table marts.fct_health_scores as select date '2026-01-31' as day")
    sensor = lateness_sensor(settings)

    def said() -> str:
        with dg.build_sensor_context(instance) as context:
            skipped = sensor(context)
        assert isinstance(skipped, dg.SkipReason)
        return str(skipped.skip_message)

    with receiver() as took, dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("HOOK", took.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        assert said() == "nothing has been published yet"
        instance.report_runless_asset_event(dg.AssetMaterialization(MART))
        assert said() == "published 0 hours ago"
        monkeypatch.setattr(common, "STALE_HOURS", 0)
        assert said() == "published 0 hours ago: data has been told"
        assert said() == "published 0 hours ago: data has been told"
        assert len(took.got) == 1
        assert "no new scores since" in took.titles[0]
        assert "The published mart ends with 2026-01-31." in took.got[0][1]["text"]


def test_where_the_last_day_is_fixed_nothing_is_late(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        skipped = lateness_sensor(settings_of(tmp_path, last="2026-01-31"))(context)
    assert "fixed" in skipped.skip_message
