"""A PostgreSQL of Debian's on loopback, for a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

PATIENCE_SECONDS = 240


class PostgresqlServer:
    """A PostgreSQL of its own, on loopback; initdb refuses to work as root, so root hands it to Debian's user."""

    def __init__(self) -> None:
        found = subprocess.run([PROJECT_ROOT / "scripts" / "postgresql"], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        self._programs = Path(found.stdout.strip())
        self._folder = Path(tempfile.mkdtemp(prefix="health-postgresql-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        data = str(self._folder / "data")
        self._call("initdb", "--pgdata", data, "--username", "dagster", "--auth", "trust", "--no-sync")
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder} -c fsync=off"
        self._call("pg_ctl", "start", "--wait", "--pgdata", data, "--log", f"{self._folder}/log", "--options", options)
        self._call("createdb", "--host", "127.0.0.1", "--port", str(self.port), "--username", "dagster", "dagster")

    def stop(self) -> None:
        subprocess.run(self._command("pg_ctl", "stop", "--mode", "fast", "--pgdata", f"{self._folder}/data"),
                       user=self._user, capture_output=True, check=False, cwd="/")  # fmt: skip
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, *command: str) -> None:
        done = subprocess.run(
            self._command(*command), user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False, cwd="/", timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._programs / program), *arguments]
