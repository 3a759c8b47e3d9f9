"""How long one day's scoring takes: 20,000 accounts and 40 measures unless told otherwise, with the project's dbt.

python -m benchmarks.scoring [--accounts 20000] [--measures 40] [--history 30] [--runs 3] [--keep FOLDER]

Scoring begins with what is kept of each account and day (int_accounts__days_kept) and of each measure
(int_measures_kept), and ends with the marts: fct_health_scores, fct_measure_scores, fct_score_changes over 1, 7 and 30
days, dim_accounts, fct_breaches and current_health. The measures are made up: how long it takes to make them from facts
is not part of this. Three earlier days are scored in the same way, so that there is something to compare with; the
other days of the history hold copies of the oldest, so that the tables are as long as they would be.

Each run works on a copy of the same file. Printed are each run's figures and their medians:
- scores: the seconds, by dbt's own clock, of the models up to fct_health_scores and fct_measure_scores
- after: of those that read the scores: changes, breaches, the newest day in words
- wall and processor: of the whole dbt process, with its start and its parse (`fixed` is the rest)
- memory: the process' peak. Not what the kernel reports at its end: that holds the peak of the process that started it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dagster_project.components import dbt_process
from dagster_project.components.dbt_models import dbt_environment
from dagster_project.config_file import read_document
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.scorecards.load import LoadedScorecard
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.schema import Scorecard
from dagster_project.scorecards.tables import config_tables
from dagster_project.settings import PROJECT_ROOT, load_settings
from dagster_project.warehouse import STORAGE_VERSION, replace_tables

DAY = datetime.date(2026, 6, 30)
COMPARED = (30, 7, 1)
AFTER = (
    "int_breach_days", "dim_accounts", "int_score_pairs", "fct_score_changes", "int_moves", "fct_mass_moves",
    "fct_breaches", "current_health",
)  # fmt: skip
MODELS = (
    "int_accounts__days", "int_measures", "int_scorecards_matched", "int_scorecards_in_force",
    "int_scorecards_applied", "int_peer_values", "int_own_baselines", "int_measure_scores", "int_scores_of_measures",
    "int_scores_of_lenses", "int_lens_scores",
    "int_group_scores", "int_raw_scores", "int_contributions", "int_adjustments", "int_health_scores",
    "int_bridged_scores", "fct_health_scores", "fct_measure_scores", *AFTER,
)  # fmt: skip
KEPT = (
    "marts.fct_health_scores", "marts.fct_measure_scores", "scoring.int_scorecards_in_force", "scoring.int_breach_days",
    "scoring.int_moves",
)  # fmt: skip
GROUPS = ("usage", "support", "sentiment", "commercial", "engagement")
CURVES: tuple[dict[str, Any], ...] = (
    {"curve": {0: 0, 0.3: 50, 0.6: 80, 1: 100}},
    {"curve": {0: 0, 1: 100}, "max_age_days": 60},
    {"steps": [{"up_to": 0.2, "score": 60}, {"up_to": 0.5, "score": 100}, {"up_to": 0.8, "score": 45}, {"score": 20}]},
    {"half_life": 0.5},
    {"curve": {0: 0, 1: 100}, "shrink_to_peers": 5},
    {"curve": {0: 0, 100: 100}, "normalise": "peer_percentile"},
)
HISTORY = """
create schema intermediate; create schema measures; create schema scoring; create schema raw_meta;
create table intermediate.int_accounts__versions as
select
    'A' || number as account_id, 'Account ' || number as account_name,
    ['small', 'medium', 'large', 'enterprise'][1 + number % 4] as segment, 'standard' as plan,
    'live' as lifecycle_stage, 'industry ' || number % 12 as industry, 'region ' || number % 5 as region,
    'owner ' || number % 50 as owner, null::varchar as parent_account_id, (1000 + number)::decimal(18, 4) as arr,
    10 + number % 500 as seats, 1::bigint as priority, date '2024-01-01' as created_on, date '2026-12-31' as renewal_on,
    null::date as ended_on, date '2024-01-01' as known_from
from range(1, $accounts + 1) as numbers (number);
create table intermediate.int_accounts__days_kept as
select
    versions.* exclude (ended_on, known_from), false as has_unlimited_seats, days.day,
    days.day - versions.created_on as account_age_days
from intermediate.int_accounts__versions as versions
cross join (select ($day - ago::integer)::date as day from range(0, $history + 1) as agos (ago)) as days
order by days.day;
create table measures.int_measures_kept as
select
    account_id, day, measure, (hash(account_id, measure, day) % 1000) / 999.0 as value,
    (1 + hash(measure, account_id) % 40)::bigint as sample_size,
    (day - (hash(account_id) % 30)::integer)::date as observed_at
from intermediate.int_accounts__days_kept
cross join (select unnest($measures) as measure)
where hash(account_id, measure) % 20 > 0  -- one in twenty is not known
order by day;
create table intermediate.int_judgement__overrides as
select
    account_id, 'cap' as kind, 40::decimal(18, 4) as score, 'because' as reason, 'CSM' as author,
    null::varchar as evidence, 'O' || account_id as override_id, date '2026-01-01' as starts_on,
    date '2026-01-01' as known_day, date '2026-12-31' as expires_on, 1 as file_id, 1 as line, 'files' as source
from intermediate.int_accounts__versions where hash(account_id) % 100 = 0;
create table scoring.int_bad_feedback as
select account_id, day as given_on, day as opens from intermediate.int_accounts__days_kept
where hash(account_id, day) % 500 = 0;
create table raw_meta.fact_days (day date);
create table intermediate.int_usage__outages (day date, accounts_seen integer, accounts_usual integer);
"""


@dataclass(frozen=True)
class Figures:
    """Of one run: seconds, and megabytes at the peak."""

    scores: float
    after: float
    wall: float
    processor: float
    megabytes: float


def scorecard(measures: list[str]) -> Scorecard:
    """A scorecard that asks for all of them: curves, steps, half-lives, peers; one exception."""
    groups = {
        group: {
            "title": group,
            "weight": 10 * place,
            "measures": {
                name: {"weight": 1 + number % 3, **CURVES[number % len(CURVES)]}
                for number, name in enumerate(measures[place - 1 :: len(GROUPS)])
            },
        }
        for place, group in enumerate(GROUPS, start=1)
    }
    return Scorecard.model_validate({
        "scorecard": "wide", "title": "Wide", "version": "1", "applies_to": "default", "coverage_floor": 0.5,
        "bands": {"red": 0, "yellow": 50, "green": 75}, "peer_group": "segment", "groups": groups,
        "exceptions": [{"when": {"measure": measures[0], "above": 0.95}, "cap": 49, "because": "it is so"}],
    })  # fmt: skip


class Benchmark:
    """A folder with the warehouse and dbt's target."""

    def __init__(self, folder: Path, accounts: int, measures: int, history: int) -> None:
        self._folder, self._file, self._history = folder, folder / "warehouse.duckdb", history
        self._settings = load_settings(environ={})
        names = [*known_measures(), *(f"made_up_{number}" for number in range(1, measures + 1))][:measures]
        self._fill(accounts, names)

    def _fill(self, accounts: int, names: list[str]) -> None:
        document = read_document(PROJECT_ROOT / "config" / "scorecards" / "standard.yml")
        loaded = [LoadedScorecard(scorecard(names), document, 1)]
        alerts = load_alerts(self._settings.alerts, names, {one.spec.lens for one in loaded})
        given = {"accounts": accounts, "day": DAY, "history": self._history, "measures": names}
        with duckdb.connect(str(self._file), config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
            for statement in duckdb.extract_statements(HISTORY):
                wanted = {name: given[name] for name in statement.named_parameters}
                connection.execute(statement, wanted)
            connection.execute("create schema raw_config")
            replace_tables(connection, "raw_config", config_tables(self._settings, loaded, alerts))

    def prepare(self) -> None:
        """Score the days to compare with, and copy the oldest into the days between."""
        for ago in sorted({min(days, self._history) for days in COMPARED}, reverse=True):
            self.run(self._file, DAY - datetime.timedelta(ago))
        with duckdb.connect(str(self._file)) as connection:
            for table in KEPT:
                connection.execute(
                    f"""
                    insert into {table}
                    select rows.* replace (days.day as day) from {table} as rows
                    cross join (
                        select distinct day from intermediate.int_accounts__days_kept
                        where day < $day and day not in (select distinct day from {table})
                    ) as days
                    where rows.day = (select min(day) from {table})
                    order by days.day
                    """,
                    {"day": DAY},
                )

    def measured(self, count: int) -> Iterator[Figures]:
        """The day itself, each time from the same state."""
        copy = self._folder / "copy" / "warehouse.duckdb"
        copy.parent.mkdir(exist_ok=True)
        for _ in range(count):
            shutil.copyfile(self._file, copy)
            yield self.run(copy, DAY)

    def run(self, file: Path, day: datetime.date) -> Figures:
        """Score one day with dbt, in a process of its own."""
        names = ("from_day", "to_day", "windows_from_day", "facts_from_day", "facts_to_day")
        with duckdb.connect(str(file)) as connection:
            run_days = pa.table({name: pa.array([day], pa.date32()) for name in names})
            replace_tables(connection, "raw_meta", {"run_days": run_days})
        project, target = str(PROJECT_ROOT / "dbt_project"), self._folder / "target"
        if not target.exists():
            target.mkdir()
            shutil.copy(PROJECT_ROOT / "dbt_project" / "target" / "partial_parse.msgpack", target)
        command = [
            sys.executable, "-P", "-m", dbt_process.__name__, *dbt_process.QUIETLY, "--quiet", "run",
            "--select", *MODELS, "--project-dir", project, "--profiles-dir", project,
            "--target-path", str(target), "--log-path", str(target),
        ]  # fmt: skip
        environ = {**os.environ, **dbt_environment(self._settings), "HEALTH_WAREHOUSE": str(file)}
        environ["HEALTH_TEMP"] = str(self._folder / "tmp")
        started = time.perf_counter()
        process = os.posix_spawn(sys.executable, command, environ)
        peak = 0.0
        while (ended := os.wait4(process, os.WNOHANG))[0] == 0:
            peak = max(peak, _peak_megabytes(process))
            time.sleep(0.02)
        _, status, usage = ended
        wall = time.perf_counter() - started
        if status != 0:
            raise SystemExit(f"dbt failed: {target / 'dbt.log'}")
        results = json.loads((target / "run_results.json").read_text())["results"]
        took = {result["unique_id"].rpartition(".")[2]: result["execution_time"] for result in results}
        after = sum(took[name] for name in AFTER)
        return Figures(sum(took.values()) - after, after, wall, usage.ru_utime + usage.ru_stime, peak)

    def slowest(self, count: int = 8) -> list[tuple[str, float]]:
        """The models of the last run that took longest."""
        results = json.loads((self._folder / "target" / "run_results.json").read_text())["results"]
        found = [(result["unique_id"].rpartition(".")[2], result["execution_time"]) for result in results]
        return sorted(found, key=lambda one: -one[1])[:count]


def _peak_megabytes(process: int) -> float:
    """The most memory that a process has held so far; 0 while it is not there yet, or there no more."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=0.0)


def _told(name: str, one: Figures) -> str:
    return (
        f"{name:8} scores {one.scores:5.1f} s, after {one.after:5.1f} s, wall {one.wall:5.1f} s of which fixed "
        f"{one.wall - one.scores - one.after:4.1f} s, processor {one.processor:5.1f} s, memory {one.megabytes:5.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--measures", type=int, default=40)
    parser.add_argument("--history", type=int, default=30, help="days before the one that is scored")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a new folder for the files, which stay there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        benchmark = Benchmark(folder, given.accounts, given.measures, given.history)
        benchmark.prepare()
        print(f"{given.accounts} accounts, {given.measures} measures, one day after {given.history}", flush=True)
        runs = []
        for number, figures in enumerate(benchmark.measured(given.runs), start=1):
            runs.append(figures)
            print(_told(f"run {number}", figures), flush=True)
        fields = Figures.__dataclass_fields__
        print(_told("median", Figures(*(statistics.median(getattr(one, name) for one in runs) for name in fields))))
        print("slowest: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in benchmark.slowest()))


if __name__ == "__main__":
    main()
