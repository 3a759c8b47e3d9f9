"""A file lands while Dagster's daemon runs: some seconds later the published score is another."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from sample.__main__ import main as make_sample
from tests.integration.homes import Home, Running

pytestmark = pytest.mark.acceptance

FIRST, LAST = "2025-07-01", "2026-06-30"
ACCOUNT = "A0001"
URGENT = 40
PATIENCE_SECONDS = 240
SCORE = f"""
    select score, (
        select count(*) from marts.fct_measure_scores as measures
        where account_id = health.account_id and day = health.day and measure = 'open_urgent_tickets'
            and value >= {URGENT}
    ) from marts.current_health as health where account_id = '{ACCOUNT}'
"""


def test_a_file_that_lands_is_scored_and_published(tmp_path: Path) -> None:
    make_sample(["--folder", str(tmp_path / "landing")])
    days = {"first": FIRST, "last": LAST}
    home = Home.make(tmp_path / "company", tmp_path / "landing", days=days, schedule={"when_files_land": True})
    home.run().succeeded()
    ((before, none),) = published(home)
    assert none == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = home.start("ui", "--port", str(port))
    try:
        wait(served, lambda: runs_ended(home) == 2)  # the second for the folder as it was found
        land(tmp_path / "landing" / "tickets" / "late.jsonl.gz")
        landed = time.monotonic()
        wait(served, lambda: published(home)[0][1] == 1)
        took = time.monotonic() - landed
    finally:
        os.kill(served.process.pid, signal.SIGTERM)
        served.finished()
    ((after, _),) = published(home)
    assert after < before
    print(f"from the landing of a file to the published score: {took:.0f} s")


def land(file: Path) -> None:
    tickets = [
        {"id": f"L{number}", "account_id": ACCOUNT, "priority": "P1", "status": "open",
         "opened_at": f"{LAST}T09:{number:02d}:00Z", "minutes_spent": 5}
        for number in range(URGENT)
    ]  # fmt: skip
    file.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in tickets).encode()))


def published(home: Home) -> list[tuple[float, int]]:
    with duckdb.connect(str(home.mart), read_only=True) as con:
        return con.execute(SCORE).fetchall()


def runs_ended(home: Home) -> int:
    file = home.folder / "home" / "dagster" / "history" / "runs.db"
    with closing(sqlite3.connect(file)) as con:
        ((count,),) = con.execute("select count(*) from runs where status = 'SUCCESS'").fetchall()
    return int(count)


def said(served: Running) -> str:
    return served.text + "".join(served._said["err"])


def wait(served: Running, is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_there():
        assert served.process.poll() is None, said(served)
        assert time.monotonic() < deadline, said(served)[-4000:]
        time.sleep(0.3)
