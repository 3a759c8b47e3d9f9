"""One asset for each entity that the `files` connector can load."""

from typing import Any

import dagster as dg
import duckdb

from dagster_project.components import common
from dagster_project.connectors.files import LoadResult, SourceFileError, load_entity, prepare
from dagster_project.entities import ENTITIES, SQL_TYPES, Column, Entity
from dagster_project.scorecards.rests_on import told
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse, quoted

UNMAPPED = dg.DataVersion("unmapped")


def file_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """An asset `raw_files/<entity>` for every entity; one that config does not map keeps an empty table."""
    return [_file_asset(settings, entity) for entity in ENTITIES.values()]


def _file_asset(settings: Settings, entity: Entity) -> dg.AssetsDefinition:
    mapped = settings.sources.files.entities.get(entity.name) if settings.sources.files else None
    files = (
        f"Files: {', '.join(mapped.files)}."
        if mapped
        else "No files are mapped to it in pipeline.yml: the table stays empty."
    )

    @dg.asset(
        key=["raw_files", entity.name],
        group_name="ingest",
        description=f"Rows as received, in the columns of the entity. Grain: {entity.grain}. {files}",
        owners=common.OWNERS,
        kinds={"duckdb", "file"},
        tags={"domain": entity.domain},
        metadata={"dagster/column_schema": _columns(entity), "dagster/table_name": f"raw_files.{entity.name}"},
        pool=common.WAREHOUSE_POOL,
        retry_policy=common.CONNECTOR_RETRIES,
    )
    def load(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            prepare(connection)
            if mapped is None:
                return dg.MaterializeResult(metadata={"dagster/row_count": 0}, data_version=UNMAPPED)
            try:
                result = load_entity(connection, settings, entity.name, common.now(settings))
            except SourceFileError as error:
                lost = [name for name, column in mapped.columns.items() if column.column in error.missing]
                raise dg.Failure(
                    description=f"{error}{told(entity.name, lost) if lost else ''}", allow_retries=False
                ) from error
            version, held = files_version(connection, entity.name), _held(connection, entity.name)
        context.log.info(common.PROGRESS + _told(entity.name, result))
        for warning in result.warnings:
            context.log.warning(f"{entity.name}: {warning}")
        return dg.MaterializeResult(metadata=_metadata(result, held), data_version=version)

    return load


def files_version(connection: duckdb.DuckDBPyConnection, *entities: str) -> dg.DataVersion:
    """What the raw tables were loaded from: the same files and mapping, the same version.

    Without it the UI would call everything downstream "unsynced" after a load that found nothing new.
    """
    found = connection.execute(
        """
        select md5(coalesce(string_agg(entity || path || content_hash || mapping_hash, '|' order by entity, path), ''))
        from raw_meta.loaded_files
        where list_contains(?, entity)
        """,
        [list(entities)],
    ).fetchone()
    return dg.DataVersion(found[0] if found else "")


def _told(name: str, result: LoadResult) -> str:
    return (
        f"{name}: {result.files_loaded} of {result.files_found} files were new or changed; {result.rows_read} rows "
        f"read, {result.rows_accepted} accepted, {result.rows_rejected} set aside"
    )


def _metadata(result: LoadResult, held: tuple[int, int]) -> dict[str, Any]:
    """`held`: rows of the table, and rows ever set aside. The other rows are those of the files loaded now."""
    share = result.rows_rejected / result.rows_read if result.rows_read else 0.0
    metadata: dict[str, Any] = {
        "dagster/row_count": held[0],
        "files_found": result.files_found,
        "files_loaded": result.files_loaded,
        "files_unchanged": result.files_unchanged,
        "rows_read": result.rows_read,
        "rows_accepted": result.rows_accepted,
        "rows_rejected": result.rows_rejected,
        "share_rejected": round(share, 6),
        "rows_rejected_in_all_files": held[1],
        "days_opened": result.days_opened,
        **({"columns_not_mapped": ", ".join(result.unmapped)} if result.unmapped else {}),
        **common.table("rejected_by_reason", ("reason", "rows"), result.rejected_by_reason.items()),
    }
    if result.warnings:
        metadata["warnings"] = dg.MetadataValue.md("\n".join(f"- {warning}" for warning in result.warnings))
    return metadata


def _held(connection: duckdb.DuckDBPyConnection, entity: str) -> tuple[int, int]:
    rejected = connection.execute(
        "select coalesce(sum(rows_rejected), 0) from raw_meta.loaded_files where entity = ?", [entity]
    ).fetchall()
    rows = connection.execute(f"select count(*) from raw_files.{quoted(entity)}").fetchall()
    return rows[0][0], rejected[0][0]


def _columns(entity: Entity) -> dg.TableSchema:
    """The contract, as the UI's table of columns."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                SQL_TYPES[column.type],
                column.meaning[:1].upper() + column.meaning[1:] + _limits(column),
                dg.TableColumnConstraints(nullable=not column.required),
            )
            for name, column in entity.columns.items()
        ]
    )


def _limits(column: Column) -> str:
    if column.allowed:
        return f"; one of {', '.join(column.allowed)}"
    limits = [(column.minimum, "at least"), (column.maximum, "at most")]
    return "".join(f"; {words} {limit:g}" for limit, words in limits if limit is not None)
