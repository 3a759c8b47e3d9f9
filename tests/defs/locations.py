"""Code locations loaded in processes of their own, each with its own pipeline.yml; what they hold comes back as JSON.

`served` starts Dagster's code server on workspace.yaml, as the web server and the daemon do. `described` loads the
definitions and asks the schedule what it would do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from dagster_project.settings import PROJECT_ROOT


def company(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """A pipeline.yml like the sample company's, with its own home, changed; returns its path."""
    document = yaml.safe_load((PROJECT_ROOT / "config" / "pipeline.yml").read_text())
    document["home"] = str(folder / "home")
    change(document)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "pipeline.yml"
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return config


class Location:
    """A process at work on one company; `result` waits for it."""

    def __init__(self, how: str, config: Path) -> None:
        environment = {**os.environ, "HEALTH_CONFIG": str(config), "DAGSTER_HOME": str(config.parent / "dagster")}
        Path(environment["DAGSTER_HOME"]).mkdir(exist_ok=True)
        self._answer = config.with_name("answer.json")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.defs.locations", how, self._answer],
            cwd=PROJECT_ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        output, _ = self._process.communicate(timeout=300)
        assert self._process.returncode == 0, output
        return dict(json.loads(self._answer.read_text()))


def served() -> dict[str, Any]:
    """What the web server would show of the workspace: its locations, or why one does not load."""
    import dagster as dg
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    target = WorkspaceFileTarget([str(PROJECT_ROOT / "workspace.yaml")])
    with dg.DagsterInstance.local_temp() as instance, WorkspaceProcessContext(instance, target) as workspace:
        request = workspace.create_request_context()
        found: dict[str, Any] = {"locations": list(request.code_location_names), "errors": []}
        for entry in request.get_code_location_entries().values():
            if entry.load_error:
                found["errors"].append(entry.load_error.to_string())
            elif entry.code_location:
                (repository,) = entry.code_location.get_repositories().values()
                found["assets"] = sorted(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys())
                found["jobs"] = [job.name for job in repository.get_all_jobs()]
                found["schedules"] = [schedule.name for schedule in repository.get_schedules()]
    return found


def described() -> dict[str, Any]:
    """The schedule, its answers to some ticks, and the assets with a freshness policy."""
    import dagster as dg

    from dagster_project.definitions import defs

    definitions = defs()
    schedule = definitions.resolve_schedule_def("daily")
    graph = definitions.resolve_asset_graph()

    def tick(at: datetime, scored: list[str]) -> dict[str, Any]:
        with dg.DagsterInstance.local_temp() as instance:
            for day in scored:
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(["marts", "fct_health_scores"], partition=day)
                )
            context = dg.build_schedule_context(
                instance=instance, scheduled_execution_time=at, repository_def=definitions.get_repository_def()
            )
            answer = schedule.evaluate_tick(context)
        requests = [
            {"partition": one.partition_key, "key": one.run_key, "tags": one.tags} for one in answer.run_requests
        ]
        return {"requests": requests, "skipped": answer.skip_message}

    utc = ZoneInfo("UTC")
    return {
        "connectors": sorted(
            name
            for name in sys.modules
            if name.startswith(("dagster_project.connectors.", "dagster_project.http_client"))
        ),
        "cron": schedule.cron_schedule,
        "timezone": schedule.execution_timezone,
        "status": schedule.default_status.value,
        "fresh": sorted(
            key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy is not None
        ),
        # 02:00 UTC on the 4th is still the evening of the 3rd in New York.
        "evening": tick(datetime(2026, 7, 4, 2, 0, tzinfo=utc), ["2026-07-01", "2026-07-02"]),
        "morning": tick(datetime(2026, 7, 4, 12, 0, tzinfo=utc), ["2026-07-01", "2026-07-02"]),
        "after a pause": tick(datetime(2026, 7, 9, 12, 0, tzinfo=utc), ["2026-07-01", "2026-07-02"]),
        "too early": tick(datetime(2026, 7, 1, 12, 0, tzinfo=utc), []),
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps({"served": served, "described": described}[sys.argv[1]]()))
