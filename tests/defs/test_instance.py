"""Dagster's own state for a company, and the two private places of dagster-dbt that we override."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_dbt import DbtCliResource

from dagster_project.components.dbt_models import DBT_PROJECT, Dbt, dbt_environment
from dagster_project.components.instance import prepare_instance
from dagster_project.settings import Settings, load_settings
from tests.defs.locations import company


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")  # so that what the tests set is undone
    return load_settings(company(tmp_path))


def test_telemetry_is_off(settings: Settings) -> None:
    home = prepare_instance(settings)
    with dg.DagsterInstance.get() as instance:
        assert instance.root_directory == str(home)
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False


def test_one_run_and_one_writer_at_a_time(settings: Settings) -> None:
    prepare_instance(settings)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        pools = instance.get_concurrency_config().pool_config
        assert (pools.pool_granularity.value, pools.default_pool_limit) == ("op", 1)


def test_what_a_killed_run_held_is_freed(settings: Settings) -> None:
    prepare_instance(settings)
    with dg.DagsterInstance.get() as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds <= 10
        monitoring = instance.get_settings("run_monitoring")
        assert monitoring["free_slots_after_run_end_seconds"] == 5


def test_the_file_is_rewritten_only_when_it_differs(settings: Settings) -> None:
    file = prepare_instance(settings) / "dagster.yaml"
    os.utime(file, ns=(1, 1))
    prepare_instance(settings)
    assert file.stat().st_mtime_ns == 1
    file.write_text("telemetry: {enabled: true}\n")
    prepare_instance(settings)
    assert yaml.safe_load(file.read_text())["telemetry"] == {"enabled": False}


def test_what_we_override_in_dagster_dbt_is_still_there() -> None:
    assert hasattr(DbtCliResource, "_cli_version")
    assert list(inspect.signature(DbtCliResource._initialize_dbt_core_adapter).parameters) == ["self", "args"]
    source = inspect.getsource(DbtCliResource.cli)
    assert "self._cli_version" in source
    assert "self._initialize_dbt_core_adapter(args)" in source


def test_dbt_is_not_asked_for_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dagster-dbt would, before each run: 5 seconds, and a look outside for the newest one."""
    called = tmp_path / "called"
    program = tmp_path / "dbt"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nopen({str(called)!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")\n'
    )
    program.chmod(0o755)

    def run(kind: type[DbtCliResource]) -> list[str]:
        called.write_text("")
        folder = os.fspath(DBT_PROJECT.project_dir)
        resource = kind(project_dir=folder, profiles_dir=folder, dbt_executable=str(program))
        monkeypatch.setattr(DbtCliResource, "_initialize_dbt_core_adapter", lambda *_: None)
        with contextlib.suppress(ValueError):  # the stock resource finds no version in what our program prints
            resource.cli(["parse"], target_path=tmp_path / "target").process.wait()
        return [line.split()[0] for line in called.read_text().splitlines()]

    assert run(DbtCliResource) == ["--version"]
    assert run(Dbt) == ["parse"]


def test_dbt_dials_nowhere(settings: Settings) -> None:
    environment = dbt_environment(settings)
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
