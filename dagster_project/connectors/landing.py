"""Records of an API into `raw_<provider>.*`: kept as received, with the columns used beside them, and never twice.

    prepare(connection, "stripe", tables, company_zone)
    landed = land(connection, "stripe", tables, batch, clocks, loaded_at)

A row is an object as it was at a load; an object that has not changed brings no row. What a batch changes, the days it
opens and the cursor that tells where to go on are one transaction: a crash loses nothing, and repeats nothing that
shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from dagster_project.connectors import fields
from dagster_project.connectors.casts import Clocks, Raw, typed
from dagster_project.connectors.ledger import prepare as prepare_books
from dagster_project.connectors.raw_tables import RawColumn, RawTable
from dagster_project.connectors.sql_parameters import Parameters
from dagster_project.warehouse import literal, quoted

State = dict[str, Any]  # where a connector goes on: plain JSON, its own affair

_ORIGIN = {"_record": "json", "_origin": "varchar", "_loaded_at": "timestamp", "_seq": "bigint"}
_BOOKS = """create table if not exists raw_meta.provider_states (
    provider varchar primary key, shape varchar, state json, moved_at timestamp)"""
_WRONG = {
    "integer": "not a whole number",
    "decimal": "not a number",
    "boolean": "not true or false",
    "epoch": "no time",
}
_OTHER_FORM = "comes in another form than before, such as an object where a text was"


@dataclass(frozen=True)
class Batch:
    """Records of one table and the state once they are in. `origin` is the path that they came from."""

    table: str
    records: Sequence[Mapping[str, Any]]
    origin: str
    state: State


@dataclass
class Landed:
    """Counts of one load: received is new + unchanged + rejected."""

    received: int = 0
    new: int = 0
    unchanged: int = 0
    rejected: int = 0
    by_table: dict[str, int] = field(default_factory=dict)
    rejected_by_table: dict[str, int] = field(default_factory=dict, compare=False)

    def add(self, table: str, received: int, new: int, rejected: int) -> None:
        """Count a batch."""
        self.received += received
        self.new += new
        self.rejected += rejected
        self.unchanged += received - new - rejected
        self.by_table[table] = self.by_table.get(table, 0) + new
        self.rejected_by_table[table] = self.rejected_by_table.get(table, 0) + rejected


def prepare(con: duckdb.DuckDBPyConnection, provider: str, tables: Sequence[RawTable], clocks: Clocks) -> None:
    """Create what is missing; where columns, allow-list or time zone have changed, make the columns again.

    The state is then forgotten, so that the next load asks for everything once more.
    """
    prepare_books(con)
    con.execute(_BOOKS)
    con.execute(fields.BOOKS)
    con.execute(f"create schema if not exists {_schema(provider)}")
    shape = hashlib.sha256(repr((tables, clocks.company)).encode()).hexdigest()[:16]
    found = con.execute("select shape from raw_meta.provider_states where provider = ?", [provider]).fetchone()
    if found and found[0] == shape:
        return
    con.execute("begin")
    try:
        for table in tables:
            name = quoted(f"raw_{provider}", table.name)
            con.execute(f"create table if not exists {name} ({_listed(_ORIGIN)})")
            _remake(con, provider, table, clocks)
        con.execute("insert or replace into raw_meta.provider_states values (?, ?, null, null)", [provider, shape])
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise


def _remake(con: duckdb.DuckDBPyConnection, provider: str, table: RawTable, clocks: Clocks) -> None:
    name = quoted(f"raw_{provider}", table.name)
    values, parameters = _typed(table.columns, clocks)
    kept = ", ".join(_ORIGIN)
    texts = _with_texts(table.columns, "_record", name)
    con.execute(f"create or replace temp table remade as select {values}, {kept} from {texts}", parameters)
    con.execute(f"create or replace table {name} as select * from remade")
    con.execute("drop table temp.remade")
    if table.parts is not None:
        part, _, columns = table.parts
        types = {"parent_id": "varchar"} | {key: column.sql_type for key, column in columns.items()}
        con.execute(f"create or replace table {quoted(f'raw_{provider}', part)} ({_listed(types)}, _seq bigint)")
        _store_parts(con, provider, table, clocks, 0)


def read_state(con: duckdb.DuckDBPyConnection, provider: str) -> State:
    """Where the provider's last load ended; empty before the first."""
    found = con.execute("select state from raw_meta.provider_states where provider = ?", [provider]).fetchone()
    return json.loads(found[0]) if found and found[0] else {}


def land(
    con: duckdb.DuckDBPyConnection,
    provider: str,
    table: RawTable,
    batch: Batch,
    clocks: Clocks,
    loaded_at: datetime,
    landed: Landed,
) -> None:
    """Store a batch and the state after it in one transaction; counts go to `landed`."""
    con.execute("begin")
    try:
        if batch.records:
            landed.add(table.name, *_store(con, provider, table, batch, clocks, loaded_at))
        con.execute(
            "update raw_meta.provider_states set state = $state, moved_at = $at where provider = $provider",
            {"state": json.dumps(batch.state), "at": loaded_at, "provider": provider},
        )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise


def _store(
    con: duckdb.DuckDBPyConnection, provider: str, table: RawTable, batch: Batch, clocks: Clocks, loaded_at: datetime
) -> tuple[int, int, int]:
    """Returns records received, rows added and records set aside."""
    name = quoted(f"raw_{provider}", table.name)
    newest = {_key(record, place): record for place, record in enumerate(batch.records)}  # twice: the later one
    _receive(con, provider, table, list(newest.values()), loaded_at)
    values, parameters = _typed(table.columns, clocks)
    con.execute(
        f"create or replace temp table arrived as select {values}, _record, _misfits, {_reason(table)} as _reason "
        f"from {_with_texts(table.columns, '_record', 'temp.received')}",
        parameters,
    )
    con.execute("create or replace temp table received_ids as select distinct id from temp.arrived")
    con.execute(f"delete from temp.arrived where {_known(table, name)}")
    rejected = _set_aside(con, provider, table, batch.origin, clocks, loaded_at)
    first = con.execute(f"select coalesce(max(_seq), 0) + 1 from {name}").fetchall()[0][0]
    columns = ", ".join(quoted(column) for column in table.columns)
    new = con.execute(
        f"insert into {name} ({columns}, {', '.join(_ORIGIN)}) select {columns}, _record, $origin, $at, "
        "$first + row_number() over (order by id) - 1 from temp.arrived where _reason is null",
        {"origin": batch.origin, "at": loaded_at, "first": first},
    ).fetchall()[0][0]
    if table.parts is not None:
        _store_parts(con, provider, table, clocks, first)
    if table.opens is not None:
        _open_days(con, provider, table, first, loaded_at)
    for temporary in ("received", "received_ids", "arrived"):
        con.execute(f"drop table temp.{temporary}")
    return len(newest), new, rejected


def _known(table: RawTable, name: str) -> str:
    """SQL: what arrived is there already. For what never changes only the time that arrived is looked through."""
    if not table.changes:
        created = quoted(table.created)
        since = f"(select coalesce(min({created}), '-infinity') from temp.arrived)"
        return f"id in (select id from {name} semi join temp.received_ids using (id) where {created} >= {since})"
    newest = (
        f"select id, arg_max(_record::varchar, _seq) from {name} semi join temp.received_ids using (id) group by id"
    )
    return f"(id, _record::varchar) in ({newest})"


def _key(record: Mapping[str, Any], place: int) -> object:
    """What makes records of a batch the same; one without an id is only itself, and is set aside."""
    key = record.get("id")
    return key if isinstance(key, (str, int)) else (place,)


def _receive(
    con: duckdb.DuckDBPyConnection,
    provider: str,
    table: RawTable,
    records: Sequence[Mapping[str, Any]],
    loaded_at: datetime,
) -> None:
    """What may be stored of the records, as temp.received; and what fields they had."""
    passed = fields.Fields(table)
    kept, misfits = passed.picked(records)
    con.execute("create or replace temp table received (_record json, _misfits varchar[])")
    con.execute(
        "insert into temp.received select unnest($1::varchar[])::json, unnest($2::varchar[][])",
        [[json.dumps(record) for record in kept], misfits],
    )
    fields.note_fields(con, provider, passed, loaded_at)


def _set_aside(
    con: duckdb.DuckDBPyConnection, provider: str, table: RawTable, origin: str, clocks: Clocks, loaded_at: datetime
) -> int:
    """Move what temp.arrived cannot be read of to quarantine; returns how many. What was there of it before goes."""
    if table.parts is not None:
        _judge_parts(con, table, clocks)
    names = {"provider": provider, "entity": table.name, "origin": origin}
    con.execute(
        "delete from raw_quarantine.rejected_rows where source = $provider and entity = $entity "
        "and file in (select $origin || '/' || coalesce(id, '?') from temp.received_ids)",
        names,
    )
    found: int = con.execute(
        "insert into raw_quarantine.rejected_rows "
        "select $provider, $entity, $origin || '/' || coalesce(id, '?'), null, split_part(_reason, ' ', 1), "
        "substr(_reason, strpos(_reason, ' ') + 1), null, $at from temp.arrived where _reason is not null",
        {**names, "at": loaded_at},
    ).fetchall()[0][0]
    return found


def _judge_parts(con: duckdb.DuckDBPyConnection, table: RawTable, clocks: Clocks) -> None:
    """An object with a part that cannot be read is set aside whole: the rest of it would add up to less."""
    assert table.parts is not None
    part, where, columns = table.parts
    values, parameters = _typed(columns, clocks)
    parts = (
        f"(select id as _parent, _misfits, unnest(json_extract(_record, {literal(where)})) as part "
        "from temp.arrived where _reason is null)"
    )
    con.execute(
        "update temp.arrived as whole set _reason = parts._reason from ("
        f"select _parent, min(_reason) as _reason from (select _parent, {values}, "
        f"case {' '.join(_cases(columns, where, part + '.'))} end as _reason "
        f"from {_with_texts(columns, 'part', parts)}) where _reason is not null group by _parent"
        ") as parts where whole.id = parts._parent",
        parameters,
    )


def _store_parts(con: duckdb.DuckDBPyConnection, provider: str, table: RawTable, clocks: Clocks, first: int) -> None:
    """The parts of the objects whose rows begin at `first`."""
    assert table.parts is not None
    part, where, columns = table.parts
    values, parameters = _typed(columns, clocks)
    parts = (
        f"(select id as parent_id, _seq, unnest(json_extract(_record, {literal(where)})) as part "
        f"from {quoted(f'raw_{provider}', table.name)} where _seq >= {int(first)})"
    )
    con.execute(
        f"insert into {quoted(f'raw_{provider}', part)} "
        f"select parent_id, {values}, _seq from {_with_texts(columns, 'part', parts)}",
        parameters,
    )


def _open_days(con: duckdb.DuckDBPyConnection, provider: str, table: RawTable, first: int, loaded_at: datetime) -> None:
    """Note the days that the rows from `first` on touch."""
    name = quoted(f"raw_{provider}", table.name)
    moments = [
        f"case when exists (select 1 from {name} as held where held.id = fresh.id and held._seq < fresh._seq) "
        f"then _loaded_at else coalesce({quoted(table.created)}, _loaded_at) end",
        *(quoted(column) for column in table.settles),
    ]
    con.execute(
        "insert into raw_meta.open_days select distinct day, $provider, $entity, $at from ("
        f"select unnest([{', '.join(f'cast({one} as date)' for one in moments)}]) as day from {name} as fresh "
        "where _seq >= $first) where day is not null and day not in "
        "(select day from raw_meta.open_days where source = $provider and entity = $entity) order by day",
        {"provider": provider, "entity": table.opens, "at": loaded_at, "first": first},
    )


def _with_texts(columns: Mapping[str, RawColumn], record: str, source: str) -> str:
    """The rows of `source` with the texts that the columns are made of: its JSON is read once."""
    paths = ", ".join(literal("$." + path) for column in columns.values() for path in column.paths)
    return f"(select *, json_extract_string({record}, [{paths}]) as _texts from {source})"


def _text_of(columns: Mapping[str, RawColumn]) -> dict[str, str]:
    """SQL of each column's text: the first of its paths that is there."""
    found, place = {}, 1
    for name, column in columns.items():
        texts = [f"_texts[{place + number}]" for number in range(len(column.paths))]
        found[name] = f"coalesce({', '.join(texts)})" if texts else "cast(null as varchar)"
        place += len(column.paths)
    return found


def _typed(columns: Mapping[str, RawColumn], clocks: Clocks) -> tuple[str, Mapping[str, Any]]:
    """SQL of the columns, made of `_texts`."""
    parameters, found = Parameters(), []
    texts = _text_of(columns)
    for name, column in columns.items():
        text = Raw(texts[name])
        if column.type == "epoch":
            seconds = typed("integer", text, clocks, parameters, pattern=None, scale=None)
            value = clocks.from_utc(f"make_timestamp({seconds} * 1000000)")
        else:
            value = typed(column.type, text, clocks, parameters, pattern=None, scale=None)  # type: ignore[arg-type]
        found.append(f"{value} as {quoted(name)}")
    return ", ".join(found), parameters.values


def _reason(table: RawTable) -> str:
    """The first thing wrong with a record: no id, or a value that is there but is not what its column holds."""
    cases = ["when id is null then 'id is missing'", *_cases(table.columns)]
    if table.parts is not None:
        part, where, _ = table.parts
        cases.append(f"when {_changed(fields.places_on(where.removeprefix('$.')))} then '{part} {_OTHER_FORM}'")
    return f"case {' '.join(cases)} end"


def _cases(columns: Mapping[str, RawColumn], where: str | None = None, prefix: str = "") -> list[str]:
    """When a column's value is there and cannot be read, and the words for it. `where` is that of parts."""
    cases, texts = [], _text_of(columns)
    for name, column in columns.items():
        told, is_null = prefix + name, f"{texts[name]} is null"
        if column.type != "text":
            wrong = _WRONG.get(column.type, f"no {column.type}")
            cases.append(f"when not {is_null} and {quoted(name)} is null then {literal(f'{told} is {wrong}')}")
        paths = [fields.within_parts(where, path) if where else path for path in column.paths]
        places = dict.fromkeys(place for path in paths for place in fields.places_on(path))
        cases.append(f"when {_changed(list(places))} and {is_null} then {literal(f'{told} {_OTHER_FORM}')}")
    return cases


def _changed(places: Sequence[str]) -> str:
    """SQL: one of these fields has another form than columns need. Nearly always there is nothing to compare."""
    listed = ", ".join(literal(place) for place in places)
    return f"(_misfits is not null and list_has_any(_misfits, [{listed}]))"


def _schema(provider: str) -> str:
    return quoted(f"raw_{provider}")


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
