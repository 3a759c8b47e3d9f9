"""Scores all kept days by other scorecards, with the models that score every day, in a file of its own.

The warehouse is opened read-only and stays as it is. A scratch file gets copies of what the scoring models read, the
proposed scorecards and the whole range as the run's days; dbt builds just those models in it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pyarrow as pa

from dagster_project.components import dbt_process
from dagster_project.components.dagster_dbt_alone import PARTIAL_PARSE_FILE_NAME
from dagster_project.components.dbt_models import DBT_PROJECT, dbt_environment
from dagster_project.run_days import are_marts_tested
from dagster_project.scorecards.alerts import AlertRules
from dagster_project.scorecards.proposals import Proposal
from dagster_project.scorecards.tables import config_tables
from dagster_project.settings import Settings
from dagster_project.warehouse import quoted, replace_tables, table_exists

# What a run holds of its own days only; the second keeps them of all days.
KEPT = {"int_accounts__days": "int_accounts__days_kept", "int_measures": "int_measures_kept"}
FINAL_MODEL = "int_health_scores"
FOLDER = "whatif-"  # then the process id: what a killed process leaves is removed by the next one
_LINES_OF_DBT = 12

Say = Callable[[str], None]


class NothingKeptError(Exception):
    """There is no history to score again, or it cannot be trusted; the text says what to do."""


class WarehouseInUseError(Exception):
    """A run holds the warehouse."""


class ScoringFailedError(Exception):
    """Dbt could not build the scoring models; the text ends with what it said."""


@dataclass(frozen=True)
class Relation:
    """A model as dbt names it, and where its table is."""

    name: str
    schema: str


@dataclass(frozen=True)
class Models:
    """The scoring models, and the models outside that they read."""

    scoring: tuple[str, ...]
    inputs: tuple[Relation, ...]


def scored_days(settings: Settings) -> tuple[date, date]:
    """The first and last day whose measures are kept.

    Raises NothingKeptError before the first run and where the last one did not come to its end, WarehouseInUseError
    while one is under way.
    """
    if settings.engine.name != "duckdb":
        raise NothingKeptError(
            "engine.name is spark: what was kept of each day lies in Spark's own tables, and scoring it again under "
            "another scorecard works on DuckDB only. Use a pipeline.yml with engine.name duckdb (docs/scale.md)."
        )
    if not settings.warehouse_path.exists():
        raise NothingKeptError(f"{settings.company} has no scores yet: `health run` makes them.")
    with _read_only(settings) as warehouse:
        kept = Relation(KEPT["int_accounts__days"], "intermediate")
        if not table_exists(warehouse, kept.schema, kept.name) or not table_exists(
            warehouse, "measures", KEPT["int_measures"]
        ):
            raise NothingKeptError(
                "No day's measures are kept yet, so there is nothing to score again: `health run` keeps those of the "
                f"days it scores, `health run --from {settings.days.first}` those of every day."
            )
        if not are_marts_tested(warehouse):
            raise NothingKeptError("The last run did not come to its end: `health run` finishes it; then ask again.")
        row = warehouse.execute(f"select min(day), max(day) from {kept.schema}.{kept.name}").fetchone()
    if row is None or row[0] is None:
        raise NothingKeptError("No account was a customer on any scored day: there is nothing to score again.")
    return row[0], row[1]


@contextmanager
def rescored(settings: Settings, proposal: Proposal, days: tuple[date, date], say: Say) -> Iterator[Path]:
    """A DuckDB file that holds the scores of `days` as they are and as they would be; gone when the block ends.

    `main.before` are the marts' active scores of the lens, one row an account and day; `main.after` those by the
    proposal, from the same measures; `main.accounts` who the accounts were on each day.
    """
    home = settings.home / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    _remove_left_over(home)
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-", dir=home) as folder:
        scratch = Path(folder) / "warehouse.duckdb"  # of this name, so that dbt need not parse again
        models = scoring_models()
        say("Copying the measures of every scored day")
        _fill(scratch, settings, proposal, days, models)
        say(f"Scoring {days[0]} to {days[1]} by the proposal")
        _build(scratch, settings, models)
        _name_the_outcome(scratch, proposal.lens)
        yield scratch


def scoring_models() -> Models:
    """The models of the folder scoring that the final score rests on, and what they read from elsewhere."""
    manifest = json.loads((DBT_PROJECT.project_dir / "target" / "manifest.json").read_text())
    nodes: dict[str, dict[str, Any]] = manifest["nodes"]
    wanted = [key for key, node in nodes.items() if node["name"] == FINAL_MODEL and node["resource_type"] == "model"]
    inside: set[str] = set()
    outside: set[str] = set()
    while wanted:
        key = wanted.pop()
        if key not in nodes or key in inside or key in outside:
            continue
        if nodes[key]["schema"] == "scoring":
            inside.add(key)
            wanted += nodes[key]["depends_on"]["nodes"]
        else:
            outside.add(key)
    return Models(
        tuple(sorted(nodes[key]["name"] for key in inside)),
        tuple(Relation(nodes[key]["name"], nodes[key]["schema"]) for key in sorted(outside)),
    )


def _fill(scratch: Path, settings: Settings, proposal: Proposal, days: tuple[date, date], models: Models) -> None:
    with duckdb.connect(config=_limits(settings)) as connection:
        connection.execute("set temp_directory = ?", [str(scratch.with_name("tmp"))])
        connection.execute(f"attach '{_text(scratch)}' as scratch")
        connection.execute("use scratch")
        try:
            # Under its own name: the views in it name their tables with it.
            connection.execute(f"attach '{_text(settings.warehouse_path)}' as warehouse (read_only)")
        except duckdb.IOException as error:
            raise _in_use(settings, error) from error
        for relation in models.inputs:
            source = f"warehouse.{quoted(relation.schema)}.{quoted(KEPT.get(relation.name, relation.name))}"
            connection.execute(f"create schema if not exists {quoted(relation.schema)}")
            connection.execute(
                f"create table {quoted(relation.schema)}.{quoted(relation.name)} as select * from {source}"
            )
        _keep_current_scores(connection, proposal.lens, days)
        connection.execute("detach warehouse")
        replace_tables(connection, "raw_config", config_tables(settings, proposal.scorecards, AlertRules()))
        first, last = (pa.scalar(day, pa.date32()) for day in days)
        names = ("from_day", "to_day", "windows_from_day", "facts_from_day", "facts_to_day")
        run_days = pa.table({name: [last if name.endswith("to_day") else first] for name in names})
        replace_tables(
            connection, "raw_meta", {"run_days": run_days, "fact_days": pa.table({"day": pa.array([], pa.date32())})}
        )


def _keep_current_scores(connection: duckdb.DuckDBPyConnection, lens: str, days: tuple[date, date]) -> None:
    """Of several versions that scored a day, one in force goes before one that is not, as everywhere."""
    connection.execute(
        """
        create table main.before as
        select scores.account_id, scores.day, scores.score, scores.band, scores.scorecard_hash
        from warehouse.marts.fct_health_scores as scores
        left join warehouse.raw_config.scorecards as scorecards on scores.scorecard_hash = scorecards.scorecard_hash
        where scores.scorecard_status = 'active' and scores.lens = $lens and scores.day between $first and $last
        qualify row_number() over (
            partition by scores.account_id, scores.day
            order by coalesce(scorecards.is_current, false) desc, scores.scorecard_hash
        ) = 1
        """,
        {"lens": lens, "first": days[0], "last": days[1]},
    )


def _build(scratch: Path, settings: Settings, models: Models) -> None:
    """Let dbt build the scoring models in the scratch file. Raises ScoringFailedError with what dbt said."""
    project, target = os.fspath(DBT_PROJECT.project_dir), scratch.with_name("target")
    target.mkdir()
    if (parsed := DBT_PROJECT.project_dir / "target" / PARTIAL_PARSE_FILE_NAME).exists():
        shutil.copy(parsed, target)
    command = [
        sys.executable, "-P", "-m", dbt_process.__name__, *dbt_process.QUIETLY, "run",
        "--select", *models.scoring, "--project-dir", project, "--profiles-dir", project,
        "--target-path", os.fspath(target), "--log-path", os.fspath(target),
    ]  # fmt: skip
    environ = {
        **os.environ,
        **dbt_environment(settings),
        "HEALTH_WAREHOUSE": os.fspath(scratch),
        "HEALTH_TEMP": os.fspath(scratch.with_name("tmp")),
        dbt_process.STARTED_BY: str(os.getpid()),
    }
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-_LINES_OF_DBT:]
        raise ScoringFailedError("The scoring models could not be built.\n" + "\n".join(said))


def _name_the_outcome(scratch: Path, lens: str) -> None:
    with duckdb.connect(str(scratch)) as connection:
        # A bridge explains a change of version; it is no score of the day.
        connection.execute(
            "create view main.after as select account_id, day, score, band, scorecard_hash "
            f"from scoring.int_health_scores where not is_bridge and lens = '{lens}'"  # a name, by its pattern
        )
        connection.execute("create view main.accounts as select * from intermediate.int_accounts__days")


@contextmanager
def _read_only(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    except duckdb.IOException as error:
        raise _in_use(settings, error) from error
    with connection:
        yield connection


def _in_use(settings: Settings, error: duckdb.IOException) -> Exception:
    if "lock" in str(error).lower():
        return WarehouseInUseError(f"A run of {settings.company} is under way and holds the warehouse; wait for it.")
    return NothingKeptError(f"{settings.warehouse_path} cannot be read: {str(error).splitlines()[0]}")


def _limits(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    return {"memory_limit": settings.warehouse.memory_limit, "threads": settings.warehouse.threads}


def _text(path: Path) -> str:
    return str(path).replace("'", "''")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a SIGTERM unwind the stack, so that what is to be removed is removed."""

    def leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        sys.exit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: whoever runs this there answers for its end
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove_left_over(home: Path) -> None:
    """Scratch folders of processes that are no more: a SIGKILL leaves no time to tidy up."""
    for folder in home.glob(f"{FOLDER}*"):
        process = folder.name.removeprefix(FOLDER).partition("-")[0]
        try:
            os.kill(int(process), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue  # alive, of another user
