"""The assets of a provider that is called over its API: one load; an asset, with checks, for each of its raw tables."""

import time
from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import duckdb

from dagster_project.components import common
from dagster_project.connectors.fields import left_out
from dagster_project.connectors.fields import vanished as vanished_of
from dagster_project.connectors.providers import Read, read_provider, tables_of
from dagster_project.connectors.raw_tables import RawTable
from dagster_project.connectors.reads import unread as unread_of
from dagster_project.scorecards.rests_on import measures_resting_on
from dagster_project.settings import Settings
from dagster_project.warehouse import open_warehouse, quoted

FIELDS_SHOWN = 100
_GOES_ON = "If it fails, the run goes on"
CHECKS = {
    "is_read": f"The provider was read to its end. {_GOES_ON} with what was there before: mend what the result names, "
    "and the next run loads what is missing.",
    "no_new_fields": f"The provider gives no field that it did not give before. {_GOES_ON} and the field is not kept: "
    "list it under `keep` of the provider in pipeline.yml if it is wanted.",
    "no_vanished_fields": f"Every field that a column is made of still comes. {_GOES_ON} and the measures that the "
    "result names no longer learn anything new: see what the provider has changed in its API.",
}
PROBLEM, REMARK = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def provider_assets(settings: Settings, provider: str) -> dg.AssetsDefinition:
    """Assets `raw_<provider>/<table>`. A provider that cannot be read fails a check and stops nobody."""
    tables = tables_of(settings, provider)

    @dg.multi_asset(
        name=f"raw_{provider}",
        specs=[
            dg.AssetSpec(
                [f"raw_{provider}", name],
                group_name="ingest",
                description=f"{name.replace('_', ' ').capitalize()} of {provider} as received; a row for each load "
                "that found one changed.",
                owners=common.OWNERS,
                kinds={"duckdb"},
                metadata={"dagster/table_name": f"raw_{provider}.{name}"},
            )
            for table in tables
            for name in table.names
        ],
        check_specs=[
            dg.AssetCheckSpec(check, asset=[f"raw_{provider}", table.name], description=text)
            for table in tables
            for check, text in CHECKS.items()
        ],
        pool=common.WAREHOUSE_POOL,
        retry_policy=common.CONNECTOR_RETRIES,
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        with open_warehouse(settings) as connection:
            read = read_provider(connection, settings, provider, common.now(settings), int(time.time()))
            results = [one for table in tables for one in _results(connection, provider, table, read)]
        context.log.info(common.PROGRESS + _told(provider, read))
        yield from results

    return load


def troubles(connection: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[list[str], list[str]]:
    """Sentences about the providers that could not be read when last tried, and about fields that no longer come."""
    providers = settings.sources.providers
    unread = [one.told() for one in unread_of(connection, providers)]
    told = []
    for provider in providers:
        gone = [one for table in tables_of(settings, provider) for one in vanished_of(connection, provider, table)]
        told += [vanished_told(provider, gone)[0]] if gone else []
    return unread, told


def vanished_told(provider: str, vanished: list[tuple[str, str, datetime]]) -> tuple[str, bool]:
    """What no longer comes and the measures that need it, in words; and whether there are any such measures."""
    if not vanished:
        return "Every field that came before still comes.", False
    fields = "; ".join(f"{table}.{column} (last seen {last:%Y-%m-%d})" for table, column, last in vanished)
    measures = measures_resting_on(provider, [(table, column) for table, column, _ in vanished])
    needed = f"Measures that need it: {', '.join(measures)}" if measures else "No measure needs it"
    return f"No longer given by {provider}: {fields}. {needed}.", bool(measures)


def _results(
    connection: duckdb.DuckDBPyConnection, provider: str, table: RawTable, read: Read
) -> Iterator[dg.MaterializeResult[None]]:
    others = left_out(connection, provider, table.name)
    fields = common.table("fields_not_kept", ("field", "kind", "first seen"), others[:FIELDS_SHOWN])
    for name in table.names:
        held = connection.execute(f"select count(*) from {quoted(f'raw_{provider}', name)}").fetchall()[0][0]
        is_main = name == table.name
        yield dg.MaterializeResult(
            asset_key=[f"raw_{provider}", name],
            metadata={
                "dagster/row_count": held,
                "rows_new": read.landed.by_table.get(name, 0),
                "records_received": read.landed.received,
                "records_rejected": read.landed.rejected_by_table.get(name, 0),
                "requests": read.calls,
                **(fields if is_main else {}),
            },
            data_version=_version(connection, provider, name),
            check_results=list(_checks(provider, table, read)) if is_main else [],
        )


def _version(connection: duckdb.DuckDBPyConnection, provider: str, name: str) -> dg.DataVersion:
    """The same rows and columns, the same version: a load that finds nothing new makes nothing downstream unsynced."""
    rows, newest = connection.execute(
        f"select count(*), coalesce(max(_seq), 0) from {quoted(f'raw_{provider}', name)}"
    ).fetchall()[0]
    shape = connection.execute("select shape from raw_meta.provider_states where provider = $1", [provider]).fetchall()
    return dg.DataVersion(f"{shape[0][0] if shape else ''}-{rows}-{newest}")


def _checks(provider: str, table: RawTable, read: Read) -> Iterator[dg.AssetCheckResult]:
    def check(name: str, fault: str, good: str, severity: dg.AssetCheckSeverity = PROBLEM) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            asset_key=[f"raw_{provider}", table.name],
            check_name=name,
            passed=not fault,
            severity=severity,
            description=fault or good,
        )

    yield check("is_read", read.unread.told() if read.unread else "", "Read to its end.")
    new = [f"{path} ({kind})" for name, path, kind in read.new_fields if name == table.name]
    yield check("no_new_fields", f"New and not kept: {', '.join(new)}." if new else "", "No new fields.", REMARK)
    gone = [one for one in read.vanished if one[0] in table.names]
    told, is_needed = vanished_told(provider, gone)
    yield check("no_vanished_fields", told if gone else "", told, PROBLEM if is_needed else REMARK)


def _told(provider: str, read: Read) -> str:
    landed = read.landed
    if read.unread:
        return read.unread.told()
    return (
        f"{provider}: {landed.received} objects read with {read.calls} requests; {landed.new} new or changed, "
        f"{landed.unchanged} as before, {landed.rejected} set aside"
    )
