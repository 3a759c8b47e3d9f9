"""The configuration in force as tables, for the scoring SQL to join."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import dagster as dg
import duckdb
import pyarrow as pa

from dagster_project.components import common
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.scorecards.load import load_scorecards
from dagster_project.scorecards.tables import SCHEMAS, config_tables
from dagster_project.settings import ConfigError, Settings
from dagster_project.warehouse import open_warehouse, quoted, replace_tables, table_exists

MEANINGS = {
    "settings": "The company and the days it scores. One row.",
    "key_features": "Features whose use is breadth. Grain: plan and feature.",
    "scorecards": "Every scorecard version ever used. Grain: scorecard version.",
    "scorecard_conditions": "Which accounts a scorecard judges. Grain: scorecard version, condition and value.",
    "scorecard_groups": "Groups and their weights. Grain: scorecard version and group.",
    "scorecard_measures": "Measures and their weights. Grain: scorecard version and measure.",
    "score_segments": "Pieces of the curves that score a value. Grain: scorecard version, measure and piece.",
    "scorecard_bands": "Bands. Grain: scorecard version and band.",
    "scorecard_exceptions": "Conditions that cap or floor a score. Grain: scorecard version and exception.",
    "alert_rules": "Rules of config/alerts.yml. Grain: rule.",
    "alert_conditions": "Values of the conditions on accounts that alert rules have.",
    "match_rules": "How a provider's customers are matched to accounts. Grain: source and rule.",
    "customer_map": "Customers that a person has matched. Grain: source and customer.",
}


def config_assets(settings: Settings) -> dg.AssetsDefinition:
    """Assets `raw_config/<table>`: config/ validated and written as tables, older scorecard versions kept."""

    @dg.multi_asset(
        name="configuration",
        specs=[
            dg.AssetSpec(
                ["raw_config", name],
                group_name="ingest",
                description=MEANINGS[name],
                owners=common.OWNERS,
                kinds={"yaml"},
            )
            for name in SCHEMAS
        ],
        pool=common.WAREHOUSE_POOL,
    )
    def configuration() -> Iterator[dg.MaterializeResult[None]]:
        try:
            scorecards = load_scorecards(settings.scorecards)
            alerts = load_alerts(settings.alerts, lenses={one.spec.lens for one in scorecards})
        except ConfigError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        with open_warehouse(settings) as connection:
            tables = with_older_versions(connection, config_tables(settings, scorecards, alerts))
            replace_tables(connection, "raw_config", tables)
        for name, table in tables.items():
            yield dg.MaterializeResult(
                asset_key=["raw_config", name],
                metadata={"dagster/row_count": table.num_rows},
                data_version=_version(table),
            )

    return configuration


def _version(table: pa.Table) -> dg.DataVersion:
    """The same rows, the same version: writing them again makes nothing downstream "unsynced" in the UI."""
    rows = sorted(map(repr, table.to_pylist()))
    return dg.DataVersion(hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12])


def _kept_column(name: str, there: set[str]) -> str:
    """A column of a version no longer in force; NULL where an older version of the project did not write it."""
    if name == "is_current":
        return "false as is_current"
    return quoted(name) if name in there else f"null as {quoted(name)}"


def with_older_versions(connection: duckdb.DuckDBPyConnection, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The new tables, with the rows of scorecard versions no longer in force, which score rows still name."""
    joined: dict[str, pa.Table] = {}
    connection.register("current_scorecards", tables["scorecards"])
    for name, table in tables.items():
        joined[name] = table
        if "scorecard_hash" not in SCHEMAS[name] or not table_exists(connection, "raw_config", name):
            continue
        there = {row[0] for row in connection.execute(f"describe raw_config.{quoted(name)}").fetchall()}
        columns = ", ".join(_kept_column(column, there) for column in SCHEMAS[name])
        older = connection.sql(
            f"select {columns} from raw_config.{quoted(name)} "  # names of our own, quoted
            "where scorecard_hash not in (select scorecard_hash from current_scorecards)"
        ).to_arrow_table()
        joined[name] = pa.concat_tables([table, older.cast(table.schema)])
    connection.unregister("current_scorecards")
    return joined
