"""Dagster on PostgreSQL, as deploy/ sets it up: two runs at once write in turn; the files name only what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster_docker import DockerRunLauncher

from dagster_project.components.common import WAREHOUSE_POOL
from dagster_project.settings import PROJECT_ROOT
from sample.__main__ import main as make_sample
from tests.acceptance.postgresql_server import PostgresqlServer
from tests.integration.homes import Home

pytestmark = pytest.mark.acceptance

DEPLOY = PROJECT_ROOT / "deploy"
WRITER = Path(__file__).with_name("write_a_share.py")
PATIENCE_SECONDS = 240


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    made = PostgresqlServer()
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def environ(server: PostgresqlServer, tmp_path: Path) -> dict[str, str]:
    """A small company and the shipped dagster.yaml, less what starts containers; variables as compose.yml sets."""
    make_sample(["--seed", "7", "--accounts", "20", "--months", "4", "--folder", str(tmp_path / "landing")])
    home = Home.make(tmp_path / "company", tmp_path / "landing")
    shipped = read("dagster.yaml")
    for name in ("run_launcher", "run_coordinator"):
        del shipped[name]
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(shipped))
    return {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "HEALTH_CONFIG": str(home.folder / "pipeline.yml"),
        "HEALTH_DATA": str(tmp_path / "landing"),
        "HEALTH_POSTGRES_HOST": "127.0.0.1",
        "HEALTH_POSTGRES_PORT": str(server.port),
        "HEALTH_POSTGRES_DATABASE": "dagster",
        "HEALTH_POSTGRES_USER": "dagster",
        "HEALTH_POSTGRES_PASSWORD": "not asked for on this server",
    }


def steps_of(instance: dg.DagsterInstance, run_id: str) -> list[tuple[float, float]]:
    """From when to when each step of the run held the pool."""
    began: dict[str, float] = {}
    spans = []
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is not None and event.is_step_start:
            began[str(event.step_key)] = entry.timestamp
        elif event is not None and event.is_step_success:
            spans.append((began[str(event.step_key)], entry.timestamp))
    return spans


def test_two_runs_at_once_write_one_after_the_other(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:  # makes the tables, before two processes would at once
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        # Two runs that both find a new pool fail on PostgreSQL; the daemon makes it before it starts a run.
        instance.event_log_storage.initialize_concurrency_limit_to_default(WAREHOUSE_POOL)
    runs = [str(uuid.uuid4()) for _ in range(2)]
    writers = [
        subprocess.Popen([sys.executable, str(WRITER), run], env=environ, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
        for run in runs
    ]  # fmt: skip
    try:
        for writer in writers:
            _, said = writer.communicate(timeout=PATIENCE_SECONDS)
            assert writer.returncode == 0, said[-3000:]
    finally:
        for writer in writers:
            if writer.poll() is None:
                writer.kill()
    with dg.DagsterInstance.get() as instance:
        first, second = (steps_of(instance, run) for run in runs)
        assert instance.event_log_storage.get_concurrency_info(WAREHOUSE_POOL).slot_count == 1
    assert len(first) == len(second) >= 11
    assert max(first)[1] > min(second)[0]  # the runs were under way together
    assert max(second)[1] > min(first)[0]
    spans = sorted(first + second)
    overlaps = [(one, two) for one, two in pairwise(spans) if two[0] < one[1]]
    assert not overlaps


def test_dagster_takes_the_settings_and_they_name_what_compose_sets() -> None:
    shipped, services = read("dagster.yaml"), read("compose.yml")["services"]
    config = shipped["run_launcher"]["config"]
    assert process_config(resolve_to_config_type(DockerRunLauncher.config_type()), config).success
    set_by_compose = set(services["daemon"]["environment"])
    database = shipped["storage"]["postgres"]["postgres_db"]
    assert {one["env"] for one in database.values() if isinstance(one, dict)} <= set_by_compose
    assert set(config["env_vars"]) <= set_by_compose
    assert config["image"] == services["code"]["image"] == services["daemon"]["image"]
    compose = read("compose.yml")
    assert config["network"] == compose["networks"]["customer-health"]["name"]
    named = {volume["name"] for volume in compose["volumes"].values() if volume}
    assert {volume.split(":")[0] for volume in config["container_kwargs"]["volumes"]} <= named
    assert shipped["concurrency"]["pools"] == {"granularity": "op", "default_limit": 1}
    assert shipped["run_monitoring"]["enabled"]


def test_the_files_name_only_what_there_is() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()]
    assert len(copied) > 8
    assert [name for name in copied if not (PROJECT_ROOT / name).exists()] == []
    services = read("compose.yml")["services"]
    for name in ("code", "web", "daemon"):
        program, *rest = services[name]["command"]
        assert Path(sys.executable).with_name(program).exists()
        asked = [program, *[one for one in rest if re.fullmatch("[a-z]+", one)], "--help"]
        helped = subprocess.run(
            [Path(sys.executable).with_name(asked[0]), *asked[1:]], capture_output=True, text=True, check=True
        )
        assert [option for option in rest if option.startswith("--") and option not in helped.stdout] == []
    location = read("workspace.yaml")["load_from"][0]["grpc_server"]
    assert location["host"] in services
    assert str(location["port"]) in services["code"]["command"]
    assert location["location_name"] == "dagster_project"
