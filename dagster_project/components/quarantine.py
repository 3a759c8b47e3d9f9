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
REMEDY = (
    "The asset's metadata show file, line and reason: correct the mapping in pipeline.yml or the file, and the next "
    "run loads it again."
)


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
