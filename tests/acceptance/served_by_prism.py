"""A provider as its public API description has it: Prism serves the description, and refuses what it does not allow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT


def description(name: str) -> Path:
    """The description's file. The descriptions are not part of this project: OPENAPI_DATA names their folder.

    Without it they are looked for in ../shared/openapi beside the project. Where one is absent the test is skipped, but
    in CI it fails.
    """
    named = os.environ.get("OPENAPI_DATA")
    file = (Path(named) if named else PROJECT_ROOT.parent / "shared" / "openapi") / name
    if not file.is_file():
        message = f"{file} is absent: OPENAPI_DATA names the folder of the API descriptions"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(message)
        pytest.skip(message)
    return file.resolve()


@contextmanager
def served_by_prism(name: str, log: Path, *, made_up: bool = False) -> Iterator[str]:
    """The address of a server that answers every request the description allows.

    With what the description shows; `made_up` where it shows nothing: then it is anything that has the right shape.

    Any other gets a status of 400 or more. It is ended by its process id.
    """
    file = description(name)
    done = subprocess.run([PROJECT_ROOT / "scripts" / "node"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    prism = f"{done.stdout.strip()}/.bin/prism"
    command = [
        prism,
        "mock",
        "--errors",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        *(["--dynamic"] if made_up else []),
        str(file),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{url}/no-such-path", timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Prism did not answer within 60 seconds")
