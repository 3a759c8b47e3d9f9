"""What leaves the warehouse: the published mart, and everything that is made from it."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from dagster_project.components import common
from dagster_project.destinations.alert_messages import newest_day
from dagster_project.destinations.exports import ExportError, send_export
from dagster_project.destinations.mart import publish_mart
from dagster_project.report.page import write_page
from dagster_project.run_days import are_marts_tested
from dagster_project.settings import MARTS, Export, Settings
from dagster_project.warehouse import open_warehouse

MART = dg.AssetKey(["published", "mart"])


def mart_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `published/mart`: the marts as a file of their own, swapped in whole, only after every test has passed."""

    @dg.asset(
        key=MART,
        deps=[dg.AssetKey(["marts", name]) for name in MARTS],
        group_name="publish",
        description="The marts as one DuckDB file (opens in DuckDB 1.0 and later) and as Parquet; swapped in whole.",
        owners=common.OWNERS,
        kinds={"duckdb", "parquet"},
        pool=common.WAREHOUSE_POOL,
        freshness_policy=common.freshness(),
    )
    def mart() -> dg.MaterializeResult[None]:
        _refuse_untested(settings)
        published = publish_mart(
            settings.warehouse_path,
            settings.mart_folder,
            memory_limit=settings.warehouse.memory_limit,
            threads=settings.warehouse.threads,
        )
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(published.path),
                "parquet": dg.MetadataValue.path(published.parquet_folder),
                **common.table("tables", ("table", "rows"), list(published.tables.items())),
                "bytes": published.bytes,
                "changed": published.changed,
            }
        )

    return mart


def _refuse_untested(settings: Settings) -> None:
    with open_warehouse(settings) as connection:
        if are_marts_tested(connection):
            return
    raise dg.Failure(
        description=f"The marts in {settings.warehouse_path} have not passed their tests: the last run that built them "
        "failed or was cut off, or built models without their tests. What is published stays as it is. Run the job "
        "score_day, or `health run`, to its end; it publishes by itself.",
        allow_retries=False,
    )


def export_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Assets `exports/<name>`, one an entry of destinations.exports."""
    return [_export_asset(settings, export) for export in settings.destinations.exports]


def _export_asset(settings: Settings, export: Export) -> dg.AssetsDefinition:
    key = dg.AssetKey(["exports", export.name])
    is_table = export.to in settings.destinations.databases

    @dg.asset(
        key=key,
        deps=[MART],
        group_name="publish",
        description=f"{export.table}, each new {export.every}, to {export.to}"
        + (" as a table." if is_table else f" as {' and '.join(export.formats)}; no cell runs as a formula."),
        owners=common.OWNERS,
        kinds={"postgresql"} if is_table else set(export.formats),
        output_required=False,
    )
    def written(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        mart = settings.mart_folder / "mart.duckdb"
        newest = newest_day(mart)
        before = context.instance.get_latest_materialization_event(key)
        if newest and before and not _is_due(export, newest, before):
            context.log.info(f"not written: its {export.every} has not passed since it was")
            return
        try:
            files = send_export(mart, export, settings.destinations, settings.exports_folder)
        except ExportError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": files[0].rows,
                **({"day": newest.isoformat()} if newest else {}),
                **common.table("files", ("file", "rows"), [(file.path, file.rows) for file in files]),
            }
        )

    return written


def _is_due(export: Export, newest: date, before: dg.EventLogEntry) -> bool:
    """Whether the newest day is of another week or month than the one that was exported last."""
    materialization = before.asset_materialization
    told = materialization.metadata.get("day") if materialization else None
    if export.every == "day" or told is None:
        return True
    last = date.fromisoformat(str(told.value))
    if export.every == "week":
        return newest.isocalendar()[:2] != last.isocalendar()[:2]
    return (newest.year, newest.month) != (last.year, last.month)


def page_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `published/page`: the page that people look at."""

    @dg.asset(
        key=["published", "page"],
        deps=[MART],
        group_name="publish",
        description="The health page: one HTML file that works offline.",
        owners=common.OWNERS,
        kinds={"html"},
    )
    def page() -> dg.MaterializeResult[None]:
        written = write_page(settings.mart_folder / "mart.duckdb", settings.page_path)
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(written.path)}  # no link: browsers don't follow file:// from a page
        )

    return page
