"""The same models on Apache Spark: two workers in processes of their own, the same company, every mart row by row.

The company is the sample company with all its files; three of its days are scored: Spark takes seconds to plan each of
some 190 models and tests, however few rows they have. HEALTH_SPARK=more also compares one more day, which a second run
adds; it takes as long again. scripts/java installs the Java.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dagster_project import spark
from dagster_project.settings import MARTS, PROJECT_ROOT
from tests.integration.homes import HEALTH, Home

FIRST, LAST, NEXT = date(2025, 12, 28), date(2025, 12, 30), date(2025, 12, 31)
CLUSTER = {
    "name": "spark",
    "master": "local-cluster[2,1,1024]",
    "memory": "1GB",
    "settings": {
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",  # a few thousand rows are read sooner than code for them is compiled
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
    },
}
# Of every kind one that finds something in three days, and moves that are some of many.
ALERTS = """
mass_move: {share: 0.001, points: 0.01}
rules:
  - {rule: low, title: Low, kind: score_below, line: 60, dwell_days: 1, cool_down_days: 1}
  - {rule: fell, title: Fell, kind: score_fell, points: 6, days: 1, dwell_days: 1}
  - {rule: unknown, title: Unknown, kind: band_is, band: insufficient_data, dwell_days: 1}
  - {rule: band, title: Band, kind: band_fell, days: 1, dwell_days: 1}
  - {rule: late, title: Late, kind: measure_above, measure: days_past_due, line: 0, dwell_days: 1}
  - {rule: nps, title: NPS, kind: measure_below, measure: nps, line: 0, dwell_days: 1, accounts: {segment: [smb]}}
  - {rule: stale, title: Stale, kind: measure_stale, measure: nps, dwell_days: 1}
  - {rule: renewal, title: Renewal, kind: renewal_near, days: 30, dwell_days: 1, accounts: {arr: {from: 5000}}}
  - {rule: feedback, title: Feedback, kind: bad_feedback, days: 30, dwell_days: 1}
  - {rule: revenue, title: Revenue, kind: revenue_disagrees, line: 0.05, dwell_days: 1}
"""
RUNS = {"the first days": LAST} | ({"one more day": NEXT} if os.environ.get("HEALTH_SPARK") == "more" else {})
PATIENCE_SECONDS = 900
CLOSE = 1e-9  # doubles; everything else is to be equal


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    found = subprocess.run([PROJECT_ROOT / "scripts" / "java"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", found.stdout.strip())
        spark.check_installed()
        yield


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    made = [sys.executable, "-m", "sample", "--folder", str(folder)]
    subprocess.run(made, cwd=PROJECT_ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def homes(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    folder = tmp_path_factory.mktemp("engines")
    (folder / "alerts.yml").write_text(ALERTS, encoding="utf-8")
    changes = {"days": {"first": FIRST, "last": LAST}, "alerts": str(folder / "alerts.yml")}
    return {
        "duckdb": Home.make(folder / "duckdb", landing, **changes),
        "spark": Home.make(folder / "spark", landing, **changes, engine=CLUSTER),
    }


def run(home: Home, last: date) -> Path:
    """`health run` up to a day, as a user runs it; the published mart."""
    file = home.folder / "pipeline.yml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["days"]["last"] = last
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    environ = os.environ | {
        "HEALTH_CONFIG": str(file),
        "HEALTH_DATA": str(home.landing),
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    done = subprocess.run(
        [str(HEALTH), "run"],
        cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return home.mart


@pytest.fixture(scope="module", params=RUNS)
def marts(request: pytest.FixtureRequest, homes: dict[str, Home]) -> dict[str, Path]:
    return {engine: run(home, RUNS[request.param]) for engine, home in homes.items()}


def read(mart: Path, name: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
    """A mart's columns with their types, and its rows in the order of what is no double."""
    with duckdb.connect(str(mart), read_only=True) as connection:
        columns = [row[:2] for row in connection.execute(f"describe marts.{name}").fetchall()]
        ordered = sorted(columns, key=lambda column: column[1] == "DOUBLE")
        listed = ", ".join(f'"{column}"' for column, _ in ordered)
        return columns, connection.execute(f"select {listed} from marts.{name} order by all").fetchall()


def are_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return one == other


def test_every_mart_is_what_duckdb_makes_of_it(marts: dict[str, Path]) -> None:
    for name in MARTS:
        columns, expected = read(marts["duckdb"], name)
        there, found = read(marts["spark"], name)
        assert there == columns, name
        assert len(found) == len(expected), name
        differing = [
            (row, other)
            for row, other in zip(expected, found, strict=True)
            if not all(are_same(a, b) for a, b in zip(row, other, strict=True))
        ]
        assert not differing, f"{name}: {len(differing)} of {len(expected)} rows differ, the first: {differing[0]}"
        assert expected or name in ("dim_account_links", "fct_unmatched_records"), f"{name} has no rows to compare"
