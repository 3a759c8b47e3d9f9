"""Rows that broke their entity's contract, made visible."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb

from dagster_project.components import common
from dagster_project.components.file_assets import files_version
from dagster_project.connectors.files import prepare
from dagster_project.entities import ENTITIES
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse, quoted, table_exists

SHOWN = 50
WARN_SHARE = 0.01  # of the rows read; above it the check warns
REMEDY = (
    "The asset's metadata show file, line and reason: correct the mapping in pipeline.yml or the file, and the next "
    "run loads it again."
)


def quarantine_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `raw_quarantine/rejected_rows`: counts and examples of what the connectors set aside."""
    of_providers = _tables_of_providers(settings)

    @dg.asset(
        key=["raw_quarantine", "rejected_rows"],
        deps=[dg.AssetKey(["raw_files", name]) for name in ENTITIES]
        + [dg.AssetKey([f"raw_{provider}", table]) for provider, table in of_providers],
        group_name="ingest",
        description="Rows set aside because they break their entity's contract, with file, line, column and reason.",
        owners=common.OWNERS,
        kinds={"duckdb"},
        pool=common.WAREHOUSE_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                "few_rows_rejected",
                asset=["raw_quarantine", "rejected_rows"],
                description=f"At most {WARN_SHARE:.0%} of the rows of every entity are set aside. If it fails, the run "
                f"goes on without those rows. {REMEDY}",
            )
        ],
    )
    def rejected_rows() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with open_warehouse(settings) as connection:
            prepare(connection)
            examples = connection.execute(
                "select entity, file, line, column_name, reason from raw_quarantine.rejected_rows "
                "order by loaded_at desc, entity, file, line limit ?",
                [SHOWN],
            ).fetchall()
            shares = connection.execute(
                "select entity, sum(rows_rejected), sum(rows_read) from raw_meta.loaded_files "
                "group by all order by entity"
            ).fetchall()
            shares += [_share(connection, provider, table) for provider, table in of_providers]
            faults = connection.execute("select count(*) from raw_quarantine.rejected_rows").fetchall()[0][0]
            version = files_version(connection, *ENTITIES)
        rejected, read = sum(row[1] for row in shares), sum(row[2] for row in shares)
        bad = [f"{entity} {gone:,} of {given:,}" for entity, gone, given in shares if gone > WARN_SHARE * given]
        check = dg.AssetCheckResult(
            check_name="few_rows_rejected",
            passed=not bad,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Many rows are set aside: {'; '.join(bad)}. {REMEDY}"
            if bad
            else "Nearly all rows are accepted.",
        )
        metadata: dict[str, Any] = {
            "dagster/row_count": faults,
            "rows_read": read,
            "rows_rejected": rejected,
            "share_rejected": round(rejected / max(read, 1), 6),
            **common.table("by_entity", ("entity", "rows set aside", "rows read"), [row for row in shares if row[1]]),
            **common.table("examples", ("entity", "file", "line", "column", "reason"), examples),
        }
        return dg.MaterializeResult(metadata=metadata, check_results=[check], data_version=version)

    return rejected_rows


def _tables_of_providers(settings: Settings) -> list[tuple[str, str]]:
    """(provider, raw table) of the providers that config enables; where none is, their code is not imported."""
    if not settings.sources.providers:
        return []
    from dagster_project.connectors.providers import tables_of

    return [(name, table.name) for name in settings.sources.providers for table in tables_of(settings, name)]


def _share(connection: duckdb.DuckDBPyConnection, provider: str, table: str) -> tuple[str, int, int]:
    """Objects of a provider set aside, and all that it has given."""
    rejected = connection.execute(
        "select count(distinct file) from raw_quarantine.rejected_rows where source = $1 and entity = $2",
        [provider, table],
    ).fetchall()[0][0]
    is_there = table_exists(connection, f"raw_{provider}", table)
    kept = (
        connection.execute(f"select count(distinct id) from {quoted(f'raw_{provider}', table)}") if is_there else None
    )
    return f"{provider}.{table}", rejected, rejected + (kept.fetchall()[0][0] if kept else 0)
