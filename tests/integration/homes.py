"""A company of its own for a test: its config, its files, its warehouse; and `health` run on it as a user would."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from dagster_project.settings import MARTS, PROJECT_ROOT

HEALTH = Path(sys.executable).with_name("health")
PATIENCE_SECONDS = 540  # for one run; far above what a busy machine needs
FIRST, LAST = date(2025, 4, 15), date(2025, 12, 31)  # the days that get a score

_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Finished:
    """A `health` command that has ended. `out` and `err` are what a terminal would show."""

    code: int
    out: str
    err: str

    @property
    def log(self) -> str:
        """The run's own log, which is named on the terminal only when it failed."""
        found = re.search(r"Full log: (\S+)", self.err)
        return Path(found[1]).read_text() if found else ""

    def succeeded(self) -> Finished:
        """Itself; fails the test with all that was said if the exit code is not 0."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}\n{self.log[-4000:]}"
        return self


class Running:
    """A `health` command under way, in a process group of its own; its lines so far are in `text`."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environ,
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        _running.add(self.process)
        self._said: dict[str, list[str]] = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            self._said[name].append(line)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "".join(self._said["out"])

    def wait_until(self, is_there: Callable[[Running], bool], every: float = 0.02) -> None:
        """Wait for something to be so; fails the test when the command ends, or 9 minutes pass, before it is."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_there(self):
            assert self.process.poll() is None, f"ended before that moment came:\n{self.finished()}"
            assert time.monotonic() < deadline, f"that moment never came:\n{self.text}"
            time.sleep(every)

    def kill(self, *, group: bool) -> None:
        """SIGKILL, to the process alone or to it and all it started."""
        if group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def finished(self) -> Finished:
        """Wait for its end."""
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            _running.discard(self.process)
        for reader in self._readers:
            reader.join(10)
        return Finished(code, self.text, "".join(self._said["err"]))


def end_all() -> None:
    """Kill what still runs, whoever started it: for the very end of the tests, also when they were interrupted."""
    for process in list(_running):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Home:
    """A folder with `pipeline.yml`, and with the company's `home` beside it; `landing` holds its files."""

    folder: Path
    landing: Path

    @classmethod
    def make(cls, folder: Path, landing: Path, **changes: Any) -> Home:
        """Config as the project ships it, except for the places, the days and `changes` (top-level keys).

        The accounts' ARR is not mapped, so that it comes from the subscriptions: the harder of its two ways.
        """
        config = yaml.safe_load((PROJECT_ROOT / "config" / "pipeline.yml").read_text())
        config |= {"home": str(folder / "home"), "days": {"first": FIRST, "last": LAST}, **changes}
        del config["sources"]["files"]["entities"]["accounts"]["columns"]["arr"]
        folder.mkdir(parents=True)
        (folder / "pipeline.yml").write_text(yaml.safe_dump(config))
        return cls(folder, landing)

    def copy(self, folder: Path, landing: Path | None = None, **changes: Any) -> Home:
        """Another company with all that this one has loaded, scored and published."""
        other = Home.make(folder, landing or self.landing, **changes)
        shutil.copytree(self.folder / "home", folder / "home", symlinks=True)
        return other

    @property
    def warehouse(self) -> Path:
        """The pipeline's own file: nobody may read it while a run is under way."""
        return self.folder / "home" / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """What readers open."""
        return self.folder / "home" / "published"

    @property
    def mart(self) -> Path:
        """The published file."""
        return self.published / "mart.duckdb"

    def start(self, *arguments: str) -> Running:
        """`health ARGUMENTS`, under way."""
        return self._start(str(HEALTH), *arguments)

    def _start(self, *command: str) -> Running:
        outside = {"HEALTH_CONFIG": str(self.folder / "pipeline.yml"), "HEALTH_DATA": str(self.landing)}
        return Running(list(command), {**os.environ, **outside, "DAGSTER_HOME": str(self.folder / "home" / "dagster")})

    def run(self, *arguments: str) -> Finished:
        """`health run ARGUMENTS`, to its end."""
        return self.start("run", *arguments).finished()

    def materialize(self, asset: str) -> Finished:
        """One asset alone, as the button of the UI does it."""
        dagster = str(HEALTH.with_name("dagster"))
        return self._start(
            dagster, "asset", "materialize", "--select", asset, "-m", "dagster_project.definitions"
        ).finished()

    def change_warehouse(self, statements: str) -> None:
        """Do to the warehouse what the pipeline would not."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(statements)

    def keep_mart(self, name: str) -> Path:
        """A copy of the published file as it is now, for a test to look at later."""
        kept = self.folder / f"{name}.duckdb"
        shutil.copyfile(self.mart, kept)
        return kept

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file the company publishes and exports, with its inode and the time it was written."""
        home = self.folder / "home"
        found = [path for name in ("published", "exports") for path in (home / name).rglob("*") if path.is_file()]
        return {str(path.relative_to(home)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def ask_warehouse(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the warehouse, which no run may hold meanwhile."""
        return ask(self.warehouse, query)


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query on a DuckDB file, opened for it alone."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def differences(one: Path, other: Path, tables: tuple[str, ...] = MARTS) -> list[str]:
    """What two published marts do not share, row by row over all columns, in words; [] if they are the same."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one}' as one (read_only)")
        connection.execute(f"attach '{other}' as other (read_only)")
        found: list[str] = []
        for table in tables:
            columns = [
                connection.execute(f"select column_name, column_type from (describe {mart}.marts.{table})").fetchall()
                for mart in ("one", "other")
            ]
            if columns[0] != columns[1]:
                found.append(f"{table}: columns {columns}")
                continue
            for left, right in (("one", "other"), ("other", "one")):
                query = f"from (select * from {left}.marts.{table} except all select * from {right}.marts.{table})"
                count = connection.execute(f"select count(*) {query}").fetchall()[0][0]
                if count:
                    first = connection.execute(f"select * {query} order by all limit 2").fetchall()
                    found.append(f"{table}: {count} rows only in {left}, such as {first}")
        return found
