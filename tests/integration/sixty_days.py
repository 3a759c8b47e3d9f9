"""A company that lives day by day: a file of usage comes, is loaded and scored, and what config no longer keeps goes.

It does what `health run` does up to publishing (load, plan, dbt, mark, drop, compact), without Dagster around it and
without the data tests, and all in one process: sixty starts of both would take half an hour. By hand:

    .venv/bin/python -m tests.integration.sixty_days /tmp/sixty --days 60
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper
from dbt.cli.main import dbtRunner

from dagster_project import compaction
from dagster_project.components import dbt_process
from dagster_project.components.config_assets import with_older_versions
from dagster_project.components.dbt_models import dbt_environment, disabled_tags
from dagster_project.connectors.files import load_entity, prepare
from dagster_project.entities import ENTITIES
from dagster_project.retention import drop_old_usage
from dagster_project.run_days import RunDays, mark_scored, plan_run
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.scorecards.load import load_scorecards
from dagster_project.scorecards.tables import config_tables
from dagster_project.settings import PROJECT_ROOT, Settings, load_settings
from dagster_project.warehouse import open_warehouse, replace_tables
from sample.__main__ import main as make_sample
from tests.integration.homes import Home
from tests.integration.long_lives import DAYS, KEPT

FIRST = date(2026, 1, 1)
ACCOUNTS, MONTHS = 20, 15  # the history begins on 2025-01-01
FOUR_WEEKS = date(2025, 11, 3)  # of the sample's use
# Each event of them comes so often, under other ids: so that usage is most of the file; and twice as often in the
# days that the first run drops: so that it leaves a file which is mostly free.
TIMES, TIMES_BEFORE = 100, 200
DBT = PROJECT_ROOT / "dbt_project"
RUN_DAY = "macro.customer_health.run_day"  # by which a model asks which days are run
ONCE = "made_once"


@dataclass(frozen=True)
class Day:
    """What a day cost and left.

    Rows loaded from files; days whose facts were made; rows that dbt wrote, made anew or added; raw rows dropped; raw
    rows kept, and from their first day to this one how many days; rows of daily facts and of measure scores; bytes that
    tables hold, and of the file; whether it was copied; processor seconds of the whole, and of dbt.
    """

    day: str
    rows_loaded: int
    fact_days: int
    rows_written: int
    rows_dropped: int
    raw_rows: int
    raw_days: int
    fact_rows: int
    score_rows: int
    held: int
    size: int
    compacted: bool
    seconds: float
    dbt_seconds: float


class Company:
    """A small company in `folder` that gets a file of usage a day; `retention` as in pipeline.yml, None to keep all."""

    def __init__(self, folder: Path, days: int, retention: dict[str, int] | None) -> None:
        everything = folder / "everything"
        make_sample(["--seed", "7", "--accounts", f"{ACCOUNTS}", "--months", f"{MONTHS}", "--folder", str(everything)])
        self._landing = folder / "landing"
        shutil.copytree(everything, self._landing)
        shutil.rmtree(self._landing / "usage")
        (self._landing / "usage").mkdir()
        self._usage = duckdb.connect()
        self._usage.execute(_steady_use(everything))
        self._deliver("history", f"received_at::date < date '{FIRST}'")
        home = Home.make(
            folder / "company",
            self._landing,
            days={"first": FIRST, "last": FIRST + timedelta(days=days)},
            warehouse={"memory_limit": "1GB", "threads": 1},
            **({"retention": retention} if retention else {}),
        )
        self.settings: Settings = load_settings(home.folder / "pipeline.yml", {"HEALTH_DATA": str(self._landing)})
        self._dbt = Dbt(self.settings, folder / "target")

    def _deliver(self, name: str, condition: str) -> None:
        file = self._landing / "usage" / f"{name}.parquet"
        self._usage.execute(f"copy (from events where {condition} order by received_at) to '{file}' (format parquet)")

    def live(self, day: date) -> Day:
        """The day's file comes, is loaded and scored; then what is too old is dropped."""
        self._deliver(str(day), f"received_at::date = date '{day}'")
        began = time.process_time()
        at = datetime(2027, 1, 1) + (day - FIRST)
        with open_warehouse(self.settings) as con:
            loaded = self._load(con, at)
            planned = plan_run(con, self.settings, day, day)
        dbt_began = time.process_time()
        rows_written = self._dbt.run()
        dbt_ended = time.process_time()
        with open_warehouse(self.settings) as con:
            mark_scored(con, self.settings, planned, "inputs", at)
            dropped = drop_old_usage(con, self.settings, day)
        compacted = compaction.compact(self.settings, small=0)
        seconds = time.process_time() - began
        return Day(
            day=str(day),
            rows_loaded=loaded,
            fact_days=planned.fact_days,
            rows_written=rows_written,
            rows_dropped=dropped,
            compacted=compacted is not None,
            seconds=round(seconds, 2),
            dbt_seconds=round(dbt_ended - dbt_began, 2),
            **self._left(planned),
        )

    def _load(self, con: duckdb.DuckDBPyConnection, at: datetime) -> int:
        prepare(con)
        rows = sum(load_entity(con, self.settings, entity, at).rows_read for entity in ENTITIES)
        scorecards = load_scorecards(self.settings.scorecards)
        alerts = load_alerts(self.settings.alerts, lenses={one.spec.lens for one in scorecards})
        tables = with_older_versions(con, config_tables(self.settings, scorecards, alerts))
        replace_tables(con, "raw_config", tables)
        return rows

    def _left(self, planned: RunDays) -> dict[str, int]:
        with open_warehouse(self.settings) as con:
            raw, facts, scores = (
                _one(con, f"select count(*) from {table}")
                for table in ("raw_files.usage_events", "intermediate.int_usage__daily", "marts.fct_measure_scores")
            )
            oldest = f"select date '{planned.to_day}' - min(known_at)::date + 1 from raw_files.usage_events"
            raw_days = _one(con, oldest)
            held = _one(con, "select used_blocks * block_size from pragma_database_size()")
            scored = _one(con, f"select count(*) from marts.fct_health_scores where day = date '{planned.to_day}'")
        assert scored, f"no account has a score on {planned.to_day}"
        size = self.settings.warehouse_path.stat().st_size
        return {
            "raw_rows": raw,
            "raw_days": raw_days,
            "fact_rows": facts,
            "score_rows": scores,
            "held": held,
            "size": size,
        }


class Dbt:
    """dbt in this process, on the company's warehouse; counts the rows that it writes."""

    def __init__(self, settings: Settings, target: Path) -> None:
        dbt_process.skip_unheard_events()
        dbt_process.skip_unheard_debug_events()
        dbt_process.make_type_testers_once()
        dbt_process.share_what_is_parsed()
        os.environ.update(dbt_environment(settings))
        target.mkdir()
        shutil.copy(DBT / "target" / "partial_parse.msgpack", target)
        self._options = [
            "--project-dir", str(DBT), "--profiles-dir", str(DBT),
            "--target-path", str(target), "--log-path", str(target),
            "--quiet", "--log-level-file", "info", "--no-version-check", "--no-write-json",
        ]  # fmt: skip
        self._excluded = [f"tag:{name}" for name in (ONCE, *disabled_tags(settings))]
        self._manifest = dbtRunner().invoke(["parse", *self._options]).result
        for node in self._manifest.nodes.values():
            node.config.persist_docs = {}  # comments would hide the number of rows that a statement wrote

    def run(self) -> int:
        """All models; returns the rows of the statements that wrote some, as DuckDB counted them."""
        self._manifest.flat_graph.pop("run_days", None)  # the days of the run before, which dbt's models share
        with _rows_counted() as written:
            done = dbtRunner(manifest=self._manifest).invoke(["run", "--exclude", *self._excluded, *self._options])
        DuckDBConnectionManager.close_all_connections()
        assert done.success, done.exception or [one.message for one in done.result if one.status == "error"]
        self._leave_out_what_stays()
        return sum(written)

    def _leave_out_what_stays(self) -> None:
        """From the second day on: views whose SQL names no day."""
        for node in self._manifest.nodes.values():
            if node.config.materialized == "view" and RUN_DAY not in self._macros(node.depends_on.macros):
                node.tags.append(ONCE)

    def _macros(self, used: list[str]) -> set[str]:
        """These macros, and those that they use."""
        found: set[str] = set()
        while used:
            found.update(used)
            used = [
                deeper for name in used for deeper in self._manifest.macros[name].depends_on.macros
                if deeper not in found
            ]  # fmt: skip
        return found


@contextmanager
def _rows_counted() -> Iterator[list[int]]:
    """The answer of each statement that writes rows is their number, in a column named Count."""
    written: list[int] = []
    execute = DuckDBCursorWrapper.execute

    def execute_and_count(self: DuckDBCursorWrapper, sql: str, bindings: Any = None) -> Any:
        done = execute(self, sql, bindings)
        if [column[0] for column in self.description or ()] == ["Count"]:
            written.extend(count for (count,) in self.fetchall())
        return done

    DuckDBCursorWrapper.execute = execute_and_count
    try:
        yield written
    finally:
        DuckDBCursorWrapper.execute = execute


def _steady_use(everything: Path) -> str:
    """The same four weeks of use again and again, under ids that do not compress: what grows is not the customers'."""
    kept_from = FIRST - timedelta(days=KEPT["usage_events_days"])
    return f"""
        create table events as
        with periods as (
            select copy, period, period * interval 28 day as later
            from range({TIMES_BEFORE}) as copies (copy), range(-11, 5) as periods (period)
        )
        select md5(concat_ws('-', event_id, copy, period)) as event_id, user_id, feature, seconds,
            happened_at + later as happened_at, received_at + later as received_at
        from read_parquet('{everything}/usage/*.parquet'), periods
        where received_at >= date '{FOUR_WEEKS}' and received_at < date '{FOUR_WEEKS}' + 28
          and received_at + later >= date '2025-01-01'
          and (copy < {TIMES} or received_at + later < date '{kept_from}')
    """


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int((con.execute(query).fetchone() or (0,))[0])


def main() -> None:
    """Live the days and write one line of JSON for each to `days.jsonl` in the folder, and a line to read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--keep-all", action="store_true", help="without retention, to compare with")
    given = parser.parse_args()
    company = Company(given.folder, given.days, None if given.keep_all else KEPT)
    with (given.folder / "days.jsonl").open("w") as lines:
        for number in range(given.days):
            lived = asdict(company.live(FIRST + timedelta(days=number)))
            print(json.dumps(lived), file=lines, flush=True)
            print(" ".join(f"{name} {value}" for name, value in lived.items()), flush=True)


if __name__ == "__main__":
    main()
