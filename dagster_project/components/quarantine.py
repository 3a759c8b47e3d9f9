"""Rows that broke their entity's contract, made visible."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.components import common
from dagster_project.components.file_assets import files_version
from dagster_project.connectors.files import prepare
from dagster_project.entities import ENTITIES
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse

SHOWN = 50
WARN_SHARE = 0.01  # of the rows read; above it the check warns


def quarantine_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `raw_quarantine/rejected_rows`: counts and examples of what the connectors set aside."""

    @dg.asset(
        key=["raw_quarantine", "rejected_rows"],
        deps=[dg.AssetKey(["raw_files", name]) for name in ENTITIES],
        group_name="ingest",
        description="Rows set aside because they break their entity's contract, with file, line, column and reason.",
        owners=common.OWNERS,
        kinds={"duckdb"},
        pool=common.WAREHOUSE_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                "few_rows_rejected",
                asset=["raw_quarantine", "rejected_rows"],
                description=f"At most {WARN_SHARE:.0%} of the rows of every entity are set aside.",
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
            version = files_version(connection, *ENTITIES)
        names = ("entity", "file", "line", "column", "reason")
        records = [dg.TableRecord(dict(zip(names, map(_shown, row), strict=True))) for row in examples]
        rejected, read = sum(row[1] for row in shares), sum(row[2] for row in shares)
        bad = [f"{entity} {gone:,} of {given:,}" for entity, gone, given in shares if gone > WARN_SHARE * given]
        check = dg.AssetCheckResult(
            check_name="few_rows_rejected",
            passed=not bad,
            severity=dg.AssetCheckSeverity.WARN,
            description="More rows than usual are set aside: " + "; ".join(bad)
            if bad
            else "Nearly all rows are accepted.",
        )
        metadata: dict[str, Any] = {
            "rows_rejected": rejected,
            "rows_read": read,
            "share_rejected": rejected / max(read, 1),
        }
        if records:
            metadata["examples"] = dg.MetadataValue.table(records)
        return dg.MaterializeResult(metadata=metadata, check_results=[check], data_version=version)

    return rejected_rows


def _shown(value: Any) -> str | int | float | None:
    return value if isinstance(value, (int, float)) or value is None else str(value)
