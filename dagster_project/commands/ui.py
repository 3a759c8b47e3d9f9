"""`health ui`: Dagster's web server and daemon for one company, on 127.0.0.1."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from dagster_project.components.instance import prepare_instance
from dagster_project.settings import PROJECT_ROOT, Settings


def serve(settings: Settings, port: int) -> int:
    """Run web server and daemon until one ends or Ctrl-C; the other is then stopped too. Returns the exit code."""
    prepare_instance(settings)
    programs = Path(sys.executable).parent
    workspace = os.fspath(PROJECT_ROOT / "workspace.yaml")
    commands = [
        [os.fspath(programs / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(port), "-w", workspace],
        [os.fspath(programs / "dagster-daemon"), "run", "-w", workspace],
    ]
    print(f"Dagster UI of {settings.company}: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    running = [subprocess.Popen(command, cwd=PROJECT_ROOT) for command in commands]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return next(iter(_first_to_end(running)))
    except KeyboardInterrupt:
        return 0
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def _first_to_end(running: list[subprocess.Popen[bytes]]) -> list[int]:
    while True:
        for process in running:
            try:
                return [process.wait(timeout=0.5)]
            except subprocess.TimeoutExpired:
                continue
