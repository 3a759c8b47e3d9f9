"""The story of a run that is killed again and again, while somebody reads what it publishes."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import duckdb

from dagster_project.settings import MARTS
from tests.integration.homes import Finished, Home, Running
from tests.integration.stories import End, Sample, story

SEED = int(os.environ.get("HEALTH_KILL_SEED", "20251228"))


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after something is to be seen. `group`: with all that the run had started."""

    name: str
    is_there: Callable[[Running], bool]
    seconds_after: float
    group: bool


@dataclass
class Killing:
    """What one kill left. `children_left` are processes the run had started that were still there 5 seconds later."""

    moment: Moment
    children: int
    children_left: list[int]


@dataclass
class Reader:
    """Opens the published file over and over, as a BI tool would, and looks whether all of it is of one version."""

    mart: Path
    reads: int = 0
    versions: list[tuple[object, ...]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop.wait(0.1):
            try:
                version = content(self.mart)
            except duckdb.Error as error:
                self.faults.append(str(error))
                continue
            self.reads += 1
            if version not in self.versions:
                self.versions.append(version)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def content(mart: Path) -> tuple[object, ...]:
    """Everything a published file holds, in short: its stamp, and rows and hash of each table."""
    sums = ", ".join(f"(select (count(*), sum(hash(t))) from marts.{table} as t)" for table in MARTS)
    with duckdb.connect(str(mart), read_only=True) as connection:
        return connection.execute(f"select content_fingerprint, last_day, {sums} from marts._published").fetchall()[0]


@dataclass(frozen=True)
class Killed:
    """The kills, the run that then came through, and what Dagster says about them all.

    `before` and `after` are the contents that a reader may have seen; `statuses` the Dagster runs, oldest first.
    """

    killings: list[Killing]
    last: Finished
    last_log: str
    mart: Path
    before: tuple[object, ...]
    after: tuple[object, ...]
    reader: Reader
    statuses: list[tuple[str, str]]
    claimed_slots: int


def _moments(home: Home) -> list[Moment]:
    draw = random.Random(SEED)
    new_mart = home.published / ".building" / "mart.duckdb"
    return [
        Moment("loading", lambda run: "subscriptions:" in run.text, draw.uniform(0, 0.5), group=False),
        Moment("first models", lambda run: "10 of" in run.text, draw.uniform(0, 1), group=False),
        Moment("later models", lambda run: "30 of" in run.text, draw.uniform(0, 2), group=True),
        Moment("publishing", lambda _: new_mart.exists(), 0, group=False),
    ]


@story("through_before", "base")
def killed(folder: Path, sample: Sample, end: End) -> Killed:
    through, base = end("through_before"), end("base")
    home = through.home.copy(folder / "killed", sample.landing)
    before, after = content(home.mart), content(base.mart)
    reader = Reader(home.mart)
    killings = [kill_at(home, moment) for moment in _moments(home)]
    running = home.start("run")
    last = running.finished().succeeded()
    reader.stop()
    logs = sorted((home.folder / "home" / "logs").glob("run-*.log"), key=lambda path: path.stat().st_mtime)
    statuses, claimed = _runs(home)
    return Killed(
        killings, last, logs[-1].read_text(), home.keep_mart("killed"), before, after, reader, statuses, claimed
    )


def kill_at(home: Home, moment: Moment) -> Killing:
    """Start a run, kill it at the moment, and look what is left of what it had started."""
    running = home.start("run")
    running.wait_until(moment.is_there, every=0.005)
    time.sleep(moment.seconds_after)
    children = _descendants(running.process.pid)
    running.kill(group=moment.group)
    deadline = time.monotonic() + 5
    while (left := [pid for pid in children if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return Killing(moment, len(children), left)


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def _is_alive(pid: int) -> bool:
    """Whether the process still runs; one that has ended and waits to be collected does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def _runs(home: Home) -> tuple[list[tuple[str, str]], int]:
    """Status and message of every Dagster run, oldest first, and how many pool slots are still claimed."""
    with dg.DagsterInstance.from_config(str(home.folder / "home" / "dagster")) as instance:
        runs = instance.get_runs(ascending=True)
        told = [(run.run_id, run.status.value) for run in runs]
        pools = instance.event_log_storage.get_concurrency_keys()
        claimed = sum(len(instance.event_log_storage.get_concurrency_info(pool).claimed_slots) for pool in pools)
    return told, claimed
