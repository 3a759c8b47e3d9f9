"""`health ui`: what it starts, and when it refuses to. The servers themselves are Dagster's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dagster_project import cli
from dagster_project.commands import ui
from dagster_project.settings import PROJECT_ROOT, Settings, load_settings
from tests.patching import patch_within


class StartedError(Exception):
    """Instead of becoming another program."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    def become(program: str, arguments: list[str]) -> None:
        raise StartedError(arguments)

    patch_within(monkeypatch, ui, "os", execv=become, chdir=lambda _: None)
    patch_within(monkeypatch, ui, "signal", signal=lambda *_: None)
    monkeypatch.setenv("DAGSTER_HOME", "")
    return load_settings().model_copy(update={"home": tmp_path / "home"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_serves_the_workspace_on_this_machine_only(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with pytest.raises(StartedError) as started:
        ui.serve(settings, port)
    (arguments,) = started.value.args
    assert arguments[0] == sys.executable
    assert arguments[arguments.index("-h") + 1] == "127.0.0.1"
    assert arguments[arguments.index("-p") + 1] == str(port)
    assert arguments[arguments.index("-w") + 1] == str(PROJECT_ROOT / "workspace.yaml")
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().out
    assert os.environ["DAGSTER_HOME"] == str(settings.dagster_home)


def test_a_port_that_is_taken(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SystemExit) as ended:
        port = other.getsockname()[1]
        ui.serve(settings, port)
    assert ended.value.code == 3
    assert f"Port {port} is taken by another program" in capsys.readouterr().err


def test_a_company_has_one_ui_at_a_time(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.home.mkdir()
    program = (
        "import fcntl, os, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX);"
        "lock.write(str(os.getpid())); lock.flush(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.home / "ui.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SystemExit) as ended:
            ui.serve(settings, free_port())
        other.stdin.close()
    assert ended.value.code == 3
    assert f"is running already (process {other.pid})" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "port"), [([], 4321), (["--port", "4322"], 4322)])
def test_the_port_is_that_of_the_option_or_of_the_environment(
    arguments: list[str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ui, "serve", lambda _, port: asked.append(port))
    monkeypatch.setenv("PORT", "4321")
    assert CliRunner().invoke(cli.app, ["ui", *arguments]).exit_code == 0
    assert asked == [port]


def test_a_port_that_is_none() -> None:
    result = CliRunner().invoke(cli.app, ["ui", "--port", "70000"])
    assert result.exit_code == 2
    assert "65535" in result.output
