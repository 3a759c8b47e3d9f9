"""Somebody else's files, taken as they are: the RavenStack example, run as a user runs it, against plain Python.

The data is not part of this project. RAVENSTACK_DATA names its folder; without it, it is looked for in
../shared/data/ravenstack beside the project. Where it is absent the tests are skipped, but in CI they fail.
"""

from __future__ import annotations

import csv
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from ravenstack_oracle import FILES, RavenStack, score

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ravenstack"
FIRST, LAST = date(2024, 10, 1), date(2024, 12, 31)
MOST_MEMORY = 1_500_000_000
ABSENT = {"active_users_to_seats", "usage_vs_baseline", "nps", "days_past_due"}
Key = tuple[str, str]


@dataclass(frozen=True)
class Run:
    """A finished run: what it printed, where it wrote, and the most memory that it and its children held at once."""

    home: Path
    output: str
    peak_bytes: int

    def rows(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as warehouse:
            return warehouse.execute(sql, parameters).fetchall()


@pytest.fixture(scope="module")
def data() -> Path:
    named = os.environ.get("RAVENSTACK_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "ravenstack"
    absent = [name for name in FILES.values() if not (folder / name).is_file()]
    if absent:
        message = f"RavenStack is not in {folder} ({', '.join(absent)} absent): RAVENSTACK_DATA names its folder"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(message)
        pytest.skip(message)
    return folder.resolve()


@pytest.fixture(scope="module")
def truth(data: Path) -> RavenStack:
    return RavenStack(data)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("ravenstack")
    config = home / "pipeline.yml"
    text, homes = re.subn(r"(?m)^home: .*$", f"home: {home}", (EXAMPLE / "pipeline.yml").read_text(encoding="utf-8"))
    assert homes == 1
    config.write_text(text, encoding="utf-8")
    environment = os.environ | {"HEALTH_CONFIG": str(config), "HEALTH_DATA": str(data)}
    log = home / "printed.txt"
    started, peak = time.monotonic(), 0
    with log.open("w") as printed:
        health = Path(sys.executable).with_name("health")
        process = subprocess.Popen([health, "run"], cwd=ROOT, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, memory_of_tree(process.pid))
            time.sleep(0.1)
    output = log.read_text()
    print(f"RavenStack: {time.monotonic() - started:.0f} s, at most {peak / 1e6:,.0f} MB")
    assert process.returncode == 0, output
    return Run(home, output, peak or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)


def memory_of_tree(pid: int) -> int:
    """Resident bytes of a process and all below it; 0 where there is no /proc to ask."""
    try:
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has just ended
        return 0
    return resident + sum(memory_of_tree(int(child)) for listed in children for child in listed)


def measured(run: Run, day: date) -> dict[Key, float | None]:
    found = run.rows("select account_id, measure, value from marts.fct_measure_scores where day = $1", [day])
    values = {(account, measure): value for account, measure, value in found}
    assert len(values) == len(found)
    return values


def differences(expected: dict[Any, float | None], found: dict[Any, float | None]) -> dict[Any, Any]:
    """What is not the same: (expected, found) by key; numbers within 1e-9 are."""
    assert expected.keys() == found.keys()
    return {
        key: (value, found[key])
        for key, value in expected.items()
        if (value is None) != (found[key] is None) or (value is not None and abs(value - found[key]) > 1e-9)
    }


def days_to_check(truth: RavenStack) -> list[date]:
    """The first and the last day, one between, and one on which urgent tickets are open."""
    return [FIRST, date(2024, 11, 15), truth.busiest_day(FIRST, LAST), LAST]


def test_every_row_is_accounted_for(run: Run, truth: RavenStack) -> None:
    books = run.rows(
        "select entity, path, rows_read, rows_accepted, rows_rejected, "
        "(select count(*) from raw_quarantine.rejected_rows as r where r.entity = f.entity) "
        "from raw_meta.loaded_files as f order by entity"
    )
    assert books == [(name, FILES[name], len(rows), len(rows), 0, 0) for name, rows in sorted(truth.rows.items())]
    for entity, rows in truth.rows.items():
        assert run.rows(f"select count(*) from raw_files.{entity}") == [(len(rows),)]
        assert f"{entity}: 1 of 1 files" in run.output


def test_the_dirt_is_counted_to_the_row(run: Run, truth: RavenStack) -> None:
    expected = truth.issues()
    found = run.rows("select entity, issue, title, rows, example from marts.fct_input_issues")
    by_words = {
        (entity, issue, words): (rows, example)
        for entity, issue, title, rows, example in found
        for known_entity, known_issue, words in expected
        if (known_entity, known_issue) == (entity, issue) and title.startswith(f"{entity}.{words}")
    }
    assert by_words == expected
    assert len(found) == len(expected)  # and nothing else was found


def test_the_run_and_the_readme_tell_the_dirt(run: Run, truth: RavenStack) -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for rows, _ in truth.issues().values():
        assert re.search(rf"(?m)^ *{rows:,}  ", run.output), f"{rows:,} rows are not in what the run printed"
        assert f"| {rows:,} |" in readme
    said = " ".join(run.output.split())
    assert (
        "Known for no account: Active users against seats; Days past due; Net promoter score; "
        "Usage against its own baseline." in said
    )


def test_every_account_has_one_row_on_every_day(run: Run, truth: RavenStack) -> None:
    found: dict[date, list[str]] = {}
    for account, day in run.rows("select account_id, day from marts.fct_health_scores"):
        found.setdefault(day, []).append(account)
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    assert {day: sorted(accounts) for day, accounts in found.items()} == {
        day: sorted(truth.existing(day)) for day in days
    }
    assert len(found[LAST]) == len(truth.rows["accounts"])


def test_no_usage_vanishes(run: Run, truth: RavenStack) -> None:
    found = run.rows("select account_id, event_day, events, duration_seconds from intermediate.int_usage__daily")
    assert Counter({(account, day): events for account, day, events, _ in found}) == truth.usage_by_day()
    rows = truth.usage_that_counts
    assert len(rows) == len(truth.rows["usage_events"]) - truth.issues()["usage_events", "repeated_id", "event_id"][0]
    assert sum(row[2] for row in found) == sum(int(row["usage_count"]) for row in rows)
    assert sum(row[3] for row in found) == sum(int(row["usage_duration_secs"]) for row in rows)


def test_what_the_data_lacks_is_null_and_lowers_coverage(run: Run, truth: RavenStack) -> None:
    account_days = run.rows("select count(*) from marts.fct_health_scores")[0][0]
    found = run.rows(
        "select measure, count(*), count(value), count(measure_score), min(missing_reason), max(missing_reason) "
        "from marts.fct_measure_scores where list_contains($1, measure) group by measure",
        [sorted(ABSENT)],
    )
    assert sorted(found) == [(measure, account_days, 0, 0, "no_data", "no_data") for measure in sorted(ABSENT)]
    # Unknown is a third of usage (40), at least a third of sentiment (15) and at least a third of commercial (20).
    assert run.rows("select max(coverage) from marts.fct_health_scores")[0][0] == pytest.approx(0.75, abs=1e-9)


def test_measures_are_what_plain_python_makes_of_the_files(run: Run, truth: RavenStack) -> None:
    urgent = 0.0
    for day in days_to_check(truth):
        expected = {
            (account, measure): value
            for account, values in truth.measures(day).items()
            for measure, value in values.items()
        }
        assert differences(expected, measured(run, day)) == {}
        urgent += sum(value or 0 for (_, measure), value in expected.items() if measure == "open_urgent_tickets")
    assert urgent > 0  # or the measure would have been compared on quiet days only


def test_scores_are_what_plain_python_makes_of_the_scorecard(run: Run, truth: RavenStack) -> None:
    scorecard = yaml.safe_load((EXAMPLE / "scorecards" / "ravenstack.yml").read_text(encoding="utf-8"))
    for day in days_to_check(truth):
        expected = {account: score(scorecard, values) for account, values in truth.measures(day).items()}
        found = {
            account: rest
            for account, *rest in run.rows(
                "select account_id, score, coverage, band, arr from marts.fct_health_scores where day = $1", [day]
            )
        }
        for place in (0, 1):
            assert (
                differences(
                    {account: result[place] for account, result in expected.items()},
                    {account: result[place] for account, result in found.items()},
                )
                == {}
            )
        assert {account: result[2] for account, result in found.items()} == {
            account: result[2] for account, result in expected.items()
        }
        assert {account: result[3] for account, result in found.items()} == {
            account: None if (mrr := truth.mrr(account, day)) is None else 12 * mrr for account in expected
        }


def test_the_export_holds_every_account(run: Run, truth: RavenStack) -> None:
    (file,) = (run.home / "exports").rglob("health_scores*.csv")
    with file.open(newline="", encoding="utf-8") as rows:
        assert sorted(row["account_id"] for row in csv.DictReader(rows)) == sorted(truth.existing(LAST))


def test_labels_that_are_random_are_not_foretold(run: Run) -> None:
    """Who leaves was drawn by lot there: a signal would be a leak."""
    told = backtest_told(run)
    assert "The sources tell losses alone" in told
    assert "No evidence that the score tells losses from the rest: the interval contains 0.50." in told


def backtest_told(run: Run) -> str:
    health = Path(sys.executable).with_name("health")
    environment = os.environ | {"HEALTH_CONFIG": str(run.home / "pipeline.yml")}
    done = subprocess.run([health, "backtest", "--days-before", "30"], cwd=ROOT, env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    print(done.stdout)
    return " ".join(done.stdout.split())


def test_the_run_fits_into_memory(run: Run) -> None:
    assert 50_000_000 < run.peak_bytes < MOST_MEMORY
