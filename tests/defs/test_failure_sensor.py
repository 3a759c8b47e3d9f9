"""The sensor that tells the data owner of a failed run: a real run that fails, and a real receiver."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project.components.alert_assets import failure_sensor
from dagster_project.settings import load_settings
from tests.unit.alert_company import SECRET, receiver


@dg.op
def stumbles() -> None:
    raise ValueError("Jane Roe, jane@acme.example")


@dg.job
def fails() -> None:
    stumbles()


@pytest.mark.parametrize("enabled", [True, False])
def test_a_failed_run_is_told_without_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    files = {"folder": str(tmp_path), "entities": {"accounts": {"files": "a.csv", "columns": {
        "account_id": "id", "created_on": "since"}}}}  # fmt: skip
    config = {"company": "Acme", "home": str(tmp_path / "home"), "days": {"first": "2026-01-01"},
              "sources": {"files": files}, "alerts": str(tmp_path / "alerts.yml")}  # fmt: skip
    (tmp_path / "pipeline.yml").write_text(yaml.safe_dump(config))
    hook = {"webhook": "env:HOOK", "secret": "env:HOOK_SECRET"}
    delivery = {"enabled": enabled, "channels": {"data": hook}, "routes": [{"to": ["data"]}], "data_owner": "data"}
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"delivery": delivery}))
    settings = load_settings(tmp_path / "pipeline.yml", {})
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
