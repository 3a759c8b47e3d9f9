"""Every provider that is called over its API, by name, and the one way to load what is new there.

    landed = load_provider(connection, settings, "stripe", loaded_at, now)

A provider's module is imported when it is enabled, and not before.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from dagster_project.connectors.casts import Clocks
from dagster_project.connectors.fields import new_fields, vanished
from dagster_project.connectors.landing import Batch, Landed, land, prepare, read_state
from dagster_project.connectors.raw_tables import RawTable
from dagster_project.connectors.reads import Unread, note_read, unread
from dagster_project.http_client import ProviderError
from dagster_project.provider_settings import MissingKeyError
from dagster_project.settings import Settings

RECORDS_A_BATCH = 2_000


def module_of(provider: str) -> Any:
    """The provider's module: `tables(source)`, `client(source)` and `pull(client, source, state, now)`."""
    return importlib.import_module(f"dagster_project.connectors.{provider}")


def tables_of(settings: Settings, provider: str) -> tuple[RawTable, ...]:
    """The provider's raw tables."""
    source = settings.sources.providers[provider]
    found: tuple[RawTable, ...] = module_of(provider).tables(source)
    return tuple(replace(table, keep=(*table.keep, *source.keep.get(table.name, ()))) for table in found)


def load_provider(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    provider: str,
    loaded_at: datetime,
    now: int,
    landed: Landed | None = None,
) -> tuple[Landed, int]:
    """Load what has changed since the last load; returns the counts and the number of requests sent.

    `loaded_at` is on the company's clocks, `now` is seconds since 1970. Raises ProviderError or MissingKeyError: what
    was stored before it stays, and the next load goes on from there; `landed` has the counts of that, too.
    """
    source, module = settings.sources.providers[provider], module_of(provider)
    clocks = Clocks(settings.timezone, "UTC")
    tables = {table.name: table for table in tables_of(settings, provider)}
    landed = Landed() if landed is None else landed
    held: Batch | None = None
    prepare(con, provider, tuple(tables.values()), clocks)
    _refuse_unknown_tables(settings, provider, tables)
    api = module.client(source)
    try:
        for batch in _pulled(provider, module.pull(api, source, read_state(con, provider), now)):
            joined = _joined(held, batch)
            if joined is None and held is not None:
                land(con, provider, tables[held.table], held, clocks, loaded_at, landed)
            held = joined or batch
    finally:  # a page that failed takes none of those before it along
        api.close()
        if held is not None:
            land(con, provider, tables[held.table], held, clocks, loaded_at, landed)
    return landed, api.calls


@dataclass(frozen=True)
class Read:
    """How a load went: its counts, and why the provider could not be read to its end, if so.

    `new_fields` are (raw table, path, kind) of fields never seen before; `vanished` (raw table, column, last seen) of
    columns whose fields no longer come.
    """

    landed: Landed
    calls: int
    unread: Unread | None
    new_fields: list[tuple[str, str, str]]
    vanished: list[tuple[str, str, datetime]]


def read_provider(
    con: duckdb.DuckDBPyConnection, settings: Settings, provider: str, loaded_at: datetime, now: int
) -> Read:
    """Load as `load_provider`; a provider that cannot be read is noted, and no error: what is there can be scored."""
    landed, calls = Landed(), 0
    problem: str | None = None
    try:
        calls = load_provider(con, settings, provider, loaded_at, now, landed)[1]
    except (MissingKeyError, ProviderError) as error:
        problem = str(error)
    note_read(con, provider, loaded_at, problem)
    tables = tables_of(settings, provider)
    return Read(
        landed,
        calls,
        next(iter(unread(con, [provider])), None),
        [(table.name, *one) for table in tables for one in new_fields(con, provider, table.name, loaded_at)],
        [one for table in tables for one in vanished(con, provider, table)],
    )


def _pulled(provider: str, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The batches. An answer that the connector stumbles over is a fault of one provider, not of the run.

    Only where it stumbled is told: the error's own text may quote the answer.
    """
    try:
        yield from batches
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        raise ProviderError(
            f"{provider}: answered in a form that its connector does not know ({type(error).__name__} at {place})"
        ) from None


def _refuse_unknown_tables(settings: Settings, provider: str, tables: dict[str, RawTable]) -> None:
    for name in settings.sources.providers[provider].keep:
        if name not in tables:
            raise ProviderError(
                f"{provider}: 'keep' in pipeline.yml names {name}, which is no table of it; legal: {', '.join(tables)}"
            )


def probe_provider(settings: Settings, provider: str) -> str:
    """One cheap call; what it found, in words. Raises ProviderError or MissingKeyError."""
    module = module_of(provider)
    api = module.client(settings.sources.providers[provider])
    try:
        return str(module.probe(api))
    finally:
        api.close()


def _joined(held: Batch | None, batch: Batch) -> Batch | None:
    """Small pages of one table as one batch: a transaction a page would cost more than the page."""
    if held is None or held.table != batch.table or len(held.records) >= RECORDS_A_BATCH:
        return None
    return Batch(held.table, [*held.records, *batch.records], held.origin, batch.state)
