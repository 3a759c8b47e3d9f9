"""dbt in Dagster: keys are dbt's names, marts that grow by a day are partitioned, days are planned before dbt runs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from packaging.version import Version

from dagster_project import spark
from dagster_project.components import common, dbt_process
from dagster_project.components.check_sentences import check_sentence
from dagster_project.components.dagster_dbt_alone import (
    PARTIAL_PARSE_FILE_NAME,
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
)
from dagster_project.components.event_log import at_once
from dagster_project.components.inputs import inputs_hash
from dagster_project.components.portraits import table_metadata
from dagster_project.components.upkeep import remove_old_runs, tidy_warehouse
from dagster_project.provider_settings import PROVIDERS
from dagster_project.retention import FactsDroppedError, told
from dagster_project.run_days import RunDays, are_marts_tested, mark_scored, plan_run, set_marts_tested
from dagster_project.settings import MARTS, PROJECT_ROOT, Settings
from dagster_project.warehouse import open_warehouse, table_exists

DBT_PROJECT = DbtProject(project_dir=PROJECT_ROOT / "dbt_project", profiles_dir=PROJECT_ROOT / "dbt_project")

# Only these carry partitions. Each partition of each asset is an event of its own in Dagster's log (20-40 ms): with all
# forty models partitioned, a backfill of a year would spend minutes on bookkeeping. The rest follow from these days.
DAILY_MARTS = frozenset({"fct_health_scores", "fct_measure_scores"})
MODELS_A_LINE = 10  # of progress
DBT_RUNS_KEPT = 5
DBT_BOOKKEEPING = frozenset({"unique_id", "invocation_id", "status"})  # that dagster-dbt shows; of no use to a person
FAILURES_SHOWN = 10


class Translator(DagsterDbtTranslator):
    """Names, groups, owners and partitions of the dbt models."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=False))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Two parts, as dbt says: schema and name."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002
        """All models belong to one stage."""
        return "transform"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """The team that answers for the models."""
        return common.OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's own description, without its SQL: dbt's documents show that."""
        return str(dbt_resource_props.get("description") or "")

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns; and the table's name without the file, which is another for each company than for the parser."""
        name = f"{dbt_resource_props['schema']}.{dbt_resource_props['name']}"
        return {**super().get_metadata(dbt_resource_props), "dagster/table_name": name}

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The test as a check that says in words what holds and what to do when it fails."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=check_sentence(manifest["nodes"][unique_id]))

    def get_partitions_def(self, dbt_resource_props: Mapping[str, Any]) -> dg.PartitionsDefinition[str] | None:
        """Days, for the marts that grow by a day."""
        return common.daily_partitions() if dbt_resource_props["name"] in DAILY_MARTS else None


class Dbt(DbtCliResource):
    """dbt's command line, without what costs seconds at each run and gives nothing here.

    dagster-dbt asks `dbt --version` (which dials out) and starts an adapter of its own (for row counts, which would
    open the warehouse while dbt holds it). Both are private there; tests/defs guards them.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(installed_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: object) -> None:  # type: ignore[override]  # noqa: ARG002
        return None


def disabled_tags(settings: Settings) -> list[str]:
    """The tags of what only the providers that config does not enable have."""
    return [name for name in PROVIDERS if name not in settings.sources.providers]


def manifest_of(settings: Settings) -> dict[str, Any]:
    """Dbt's manifest without the models and tests of providers that are not enabled, and nobody depending on them."""
    manifest: dict[str, Any] = json.loads(DBT_PROJECT.manifest_path.read_text(encoding="utf-8"))
    disabled, nodes = set(disabled_tags(settings)), manifest["nodes"]
    gone = {name for name, node in nodes.items() if disabled & set(node["tags"])}
    gone |= {name for name, node in nodes.items() if node.get("attached_node") in gone}
    for name, node in nodes.items():
        if name not in gone and gone & set(node["depends_on"].get("nodes", ())):
            node["depends_on"]["nodes"] = [one for one in node["depends_on"]["nodes"] if one not in gone]
    manifest["nodes"] = {name: node for name, node in nodes.items() if name not in gone}
    for related in ("parent_map", "child_map"):
        manifest[related] = {
            name: [one for one in others if one not in gone]
            for name, others in manifest[related].items()
            if name not in gone
        }
    return manifest


def dbt_resource(settings: Settings) -> Dbt:
    """Dbt on this company's warehouse: profiles.yml reads these variables."""
    os.environ.update(dbt_environment(settings))
    return Dbt(
        project_dir=os.fspath(DBT_PROJECT.project_dir),
        profiles_dir=os.fspath(DBT_PROJECT.profiles_dir),
        target=settings.engine.name,
        dbt_executable=sys.executable,
        global_config_flags=["-P", "-m", dbt_process.__name__],  # -P: dbt's project is no place to import from
    )


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt_project/profiles.yml reads."""
    return {
        "HEALTH_WAREHOUSE": os.fspath(settings.warehouse_path),
        "HEALTH_MEMORY_LIMIT": settings.warehouse.memory_limit,
        "HEALTH_THREADS": str(settings.warehouse.threads),
        "HEALTH_TEMP": os.fspath(settings.home / "tmp"),
        "HEALTH_SOURCES": ",".join(settings.sources.providers),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _excluded(settings: Settings) -> list[str]:
    tags = [f"tag:{name}" for name in disabled_tags(settings)]
    return ["--exclude", " ".join(tags)] if tags else []  # in one word: dagster-dbt takes the first one only


def _target_folder(settings: Settings, run_id: str) -> Path:
    """Where dbt leaves this run's log and results; those of the last runs are kept.

    It begins with what the run before parsed, else dbt starts from the parse made at install: a plain `dbt parse` may
    have put one there that holds for another warehouse only.
    """
    home = settings.home / "logs" / "dbt"
    home.mkdir(parents=True, exist_ok=True)
    older = sorted((path for path in home.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in older[: 1 - DBT_RUNS_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
    folder = home / run_id[:8]
    if older and (parsed := older[-1] / PARTIAL_PARSE_FILE_NAME).exists() and not folder.exists():
        folder.mkdir()
        shutil.copy(parsed, folder)
    return folder


def build_models(context: dg.AssetExecutionContext, dbt: Dbt, settings: Settings) -> Iterator[Any]:
    """Plan the run's days, build and test the models in one dbt invocation, and record the days as scored.

    A run of only some models is for looking into one: it works on the days that the last whole run left in the tables
    between, and records no day; the marts stay publishable if they were and all tests of these models pass. Raises
    Failure when it is asked for other days, and when a model or test fails.
    """
    first, last = common.days_of_run(context)
    _prepare_engine(settings)
    with open_warehouse(settings) as connection:
        if context.is_subset:
            days = None
            _refuse_other_days(connection, first, last)
            stay_tested = are_marts_tested(connection) and _tests_what_it_builds(context)
            set_marts_tested(connection, tested=False)
        else:
            days = _planned(connection, settings, first, last)
            for said in (_told(days, settings), *told(connection, settings)):
                context.log.info(common.PROGRESS + said)
        _hand_over(context, connection, settings)
    if days is not None:
        remove_old_runs(context.instance)
    os.environ[dbt_process.STARTED_BY] = str(os.getpid())
    invocation = dbt.cli(
        # Unit tests of the SQL say nothing about today's data: `make test` runs them, the daily run need not.
        [*dbt_process.QUIETLY, "build", "--exclude-resource-type", "unit_test", *_excluded(settings)],
        context=context,
        target_path=_target_folder(settings, context.run_id),
    )
    events: list[Any] = []
    built = 0
    try:
        for event in invocation.stream():
            events.append(event)
            built += isinstance(event, dg.Output)
            if isinstance(event, dg.Output) and built % MODELS_A_LINE == 0:
                context.log.info(
                    f"{common.PROGRESS}{built} of {len(context.selected_asset_keys)} models built and tested"
                )
    except DagsterDbtCliRuntimeError as error:
        raise dg.Failure(description=_failed_nodes(invocation) or str(error), allow_retries=False) from error
    else:
        _take_back(settings)
    finally:
        # Some hundred events at 25 ms each if every one were committed alone; nothing waits for them meanwhile.
        with at_once(context.instance, context.run_id):
            yield from _with_metadata(context, events, settings)
    with open_warehouse(settings) as connection:
        if days is None:
            set_marts_tested(connection, tested=stay_tested)
        else:
            mark_scored(connection, settings, days, inputs_hash(settings), common.now(settings))
    if days is not None:
        tidy_warehouse(context, settings)


def _planned(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date, last: date) -> RunDays:
    try:
        return plan_run(connection, settings, first, last)
    except FactsDroppedError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _prepare_engine(settings: Settings) -> None:
    """What Spark needs before dbt starts; DuckDB needs nothing. So it is with the two below."""
    if settings.engine.name == "duckdb":
        return
    try:
        spark.check_installed()
    except spark.SparkMissingError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    os.environ.update(spark.environment(settings))


def _hand_over(context: dg.AssetExecutionContext, connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    if settings.engine.name == "duckdb":
        return
    written = spark.write_raw(connection, settings)
    context.log.info(f"{common.PROGRESS}{len(written)} raw tables were new or changed and are written for Spark")
    spark.forget_windows(connection)


def _take_back(settings: Settings) -> None:
    if settings.engine.name == "duckdb":
        return
    with open_warehouse(settings) as connection:
        spark.read_back(connection, settings, spark.contracts_of(DBT_PROJECT.manifest_path, MARTS))


def _tests_what_it_builds(context: dg.AssetExecutionContext) -> bool:
    tests = {key for key in context.assets_def.check_keys if key.asset_key in context.selected_asset_keys}
    return tests <= set(context.selected_asset_check_keys)


def _refuse_other_days(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> None:
    held = None
    if table_exists(connection, "raw_meta", "run_days"):
        held = connection.execute("select from_day, to_day from raw_meta.run_days").fetchone()
    if held is None or not held[0] <= first <= last <= held[1]:
        there = f"the days {held[0]} to {held[1]}" if held else "no days yet"
        raise dg.Failure(
            description=f"Only some models were selected, for {first} to {last}, but the tables they are built from "
            f"hold {there}. To score other days, run the job score_day for them, or select the whole group transform.",
            allow_retries=False,
        )


def _failed_nodes(invocation: DbtCliInvocation) -> str:
    """The models and tests that failed, each with dbt's message; empty if dbt left no results."""
    try:
        results = invocation.get_artifact("run_results.json")["results"]
    except (FileNotFoundError, KeyError, ValueError):
        return ""
    failed = [result for result in results if result["status"] in {"error", "fail", "runtime error"}]
    lines = [f"{result['unique_id'].split('.', 2)[-1]}: {str(result['message']).strip()}" for result in failed]
    more = f"\n... and {len(lines) - FAILURES_SHOWN} more" if len(lines) > FAILURES_SHOWN else ""
    return f"{len(failed)} models or tests failed:\n" + "\n".join(lines[:FAILURES_SHOWN]) + more if failed else ""


def _told(days: RunDays, settings: Settings) -> str:
    text = f"Scoring {days.from_day} to {days.to_day}"
    if days.from_day < days.asked_from:
        text += f" (from {days.asked_from} was asked; late facts re-open the days before)"
    text += f"; {days.fact_days} days of new facts"
    if late := days.too_late.told(settings):
        text += f". {late}"
    return text


def _with_metadata(context: dg.AssetExecutionContext, events: list[Any], settings: Settings) -> Iterator[Any]:
    """The events with what a person wants to know of each table; read once dbt has let go of the warehouse."""
    with open_warehouse(settings) as connection:
        known = table_metadata(connection)
    for event in events:
        if isinstance(event, dg.Output):
            key = "/".join(context.asset_key_for_output(event.output_name).path)
            of_dbt = {name: value for name, value in event.metadata.items() if name not in DBT_BOOKKEEPING}
            yield event.with_metadata({**known.get(key, {}), **of_dbt})
        else:
            yield event
