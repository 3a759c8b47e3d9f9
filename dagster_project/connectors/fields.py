"""The fields of a provider's records: what the allow-list lets through, and what has come, changed or gone.

    fields = Fields(table)
    kept, misfits = fields.picked(records)
    note_fields(connection, "stripe", fields, loaded_at)

`raw_meta.provider_fields` remembers the name, kind and times of every field seen beside those kept; of a field that is
not kept no value is ever stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb

from dagster_project.connectors.raw_tables import RawTable

ENOUGH = 20  # records: without a field before it is called new; that should have had one before it is called gone
MOST_FIELDS = 400  # of a table; an object whose keys are ids would bring more, and they tell nothing
ANY = "*"  # stands for keys that are no names: ids, addresses
WHOLE = "$"  # the record itself: its row counts all records of the table
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,60}")
_STEP = re.compile(r"([^.\[\]]+)|\[(?:\d+|\*)\]")
_PLAIN = frozenset({str, bool, int, float, type(None)})
_KINDS = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}

BOOKS = """create table if not exists raw_meta.provider_fields (
    provider varchar, table_name varchar, path varchar, kind varchar, is_kept boolean, is_used boolean,
    first_seen timestamp, last_seen timestamp,
    records_before bigint, records_with bigint, records_absent bigint)"""


@dataclass(frozen=True)
class _Known:
    """What is remembered of a field: how many records came before it was first seen, with it, and since it was last."""

    kind: str | None = None
    is_kept: bool = False
    is_used: bool = False
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    records_before: int = 0
    records_with: int = 0
    records_absent: int = 0


_NEVER = _Known()


@dataclass
class _Field:
    """A place in the records. `expected` is the form that columns need there: object, list, value, or None for any.

    `met` are the names that need no second look: those kept, and those seen in this batch. `is_plain` tells that any
    single value there is stored as it is.
    """

    path: str
    is_kept: bool = False
    expected: str | None = None
    inner: dict[str, _Field] = field(default_factory=dict)
    kept: dict[str, _Field] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    is_plain: bool = False
    kind: str | None = None
    count: int = 0

    def below(self, name: str) -> _Field:
        """The kept field of this name within."""
        if name not in self.inner:
            path = name if self.path == WHOLE else f"{self.path}.{name}"
            self.inner[name] = self.kept[name] = _Field(path, is_kept=True)
            self.met.add(name)
        return self.inner[name]


class Fields:
    """The fields of one table's records, counted as they pass."""

    def __init__(self, table: RawTable) -> None:
        self.table = table.name
        self._root = _Field(WHOLE, is_kept=True, expected="object")
        self._met = 0
        for path in table.keep:
            place = self._root
            for name in path.split("."):
                place = place.below(name)
        self._used: set[str] = set()
        for path in paths_of(table):
            self._expect(path)
        waiting = [self._root]
        while waiting:
            place = waiting.pop()
            place.is_plain = not place.kept and place.expected in (None, "value")
            waiting += place.kept.values()

    def _expect(self, path: str) -> None:
        """What a column's path needs: `a[*].b` a list in a and an object in each entry, `a.b` an object."""
        place, steps = self._root, list(_STEP.finditer(path))
        for number, step in enumerate(steps):
            after = steps[number + 1] if number + 1 < len(steps) else None
            if step[1] is None:
                continue
            if step[1] not in place.kept:
                return  # not on the allow-list, so never there
            place = place.kept[step[1]]
            place.expected = "value" if after is None else "list" if after[1] is None else "object"
        self._used.add(place.path)

    def picked(self, records: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[list[str] | None]]:
        """What the allow-list lets through of each record, always in the list's order; and where it has another form.

        A value of another form than columns need (an object for a text, say) is left out and its path told.
        """
        found, misfits = [], []
        for record in records:
            wrong: list[str] = []
            self._root.count += 1
            found.append(self._object(record, self._root, wrong))
            misfits.append(wrong or None)
        return found, misfits

    def _object(self, value: Mapping[str, Any], place: _Field, wrong: list[str]) -> dict[str, Any]:
        for name in value.keys() - place.met:  # what is left out is looked at once a batch
            self._meet(place, name, value[name])
        found = {}
        for name, below in place.kept.items():
            if name in value:
                one = value[name]
                below.count += 1
                found[name] = one if below.is_plain and one.__class__ in _PLAIN else self._pick(one, below, wrong)
        return found

    def _pick(self, value: Any, place: _Field, wrong: list[str]) -> Any:
        if value is None:
            return None
        form = "object" if isinstance(value, dict) else "list" if isinstance(value, list) else "value"
        if place.expected not in (None, form):
            wrong.append(place.path)
            return None
        if form == "object":
            return self._object(value, place, wrong) if place.kept else None
        if form == "list":
            return [self._entry(one, place, wrong) for one in value]
        return None if place.kept else value  # an id where an object was expected, say

    def _entry(self, value: Any, place: _Field, wrong: list[str]) -> Any:
        if isinstance(value, dict):
            return self._object(value, place, wrong) if place.kept else None
        if place.kept and value is not None:
            wrong.append(place.path)
            return None
        return [self._entry(one, place, wrong) for one in value] if isinstance(value, list) else value

    def _meet(self, place: _Field, name: str, value: Any) -> None:
        """A field that is not kept. Keys that may say something themselves are not told apart."""
        place.met.add(name)
        if not _NAME.fullmatch(name) or self._met >= MOST_FIELDS:
            name = ANY
        if name not in place.inner:
            self._met += 1
            path = name if place.path == WHOLE else f"{place.path}.{name}"
            place.inner[name] = _Field(path, kind=_KINDS.get(type(value)), count=1)

    def seen(self) -> Iterator[tuple[str, str | None, bool, bool, int]]:
        """(path, kind, whether kept, whether a column is made of it, how often it came) of every field."""
        waiting = [self._root]
        while waiting:
            place = waiting.pop()
            yield place.path, place.kind, place.is_kept, place.path in self._used, place.count
            waiting += place.inner.values()

    @property
    def records(self) -> int:
        """How many records have passed."""
        return self._root.count


def paths_of(table: RawTable) -> list[str]:
    """Every path that a column of the table or of its parts is made of."""
    found = [path for column in table.columns.values() for path in column.paths]
    if table.parts is not None:
        _, where, columns = table.parts
        found += [within_parts(where, path) for column in columns.values() for path in column.paths]
    return found


def within_parts(where: str, path: str) -> str:
    """The path of a part's field from the record on; `where` is as in RawTable.parts: `$.items.data[*]`."""
    return f"{where.removeprefix('$.')}.{path}"


def place_of(path: str) -> str:
    """The field that a path leads to, without the brackets of lists."""
    return ".".join(step[1] for step in _STEP.finditer(path) if step[1])


def places_on(path: str) -> list[str]:
    """Every field that has to keep its form for the path to be read: its own and those around it."""
    names = place_of(path).split(".")
    return [".".join(names[:length]) for length in range(1, len(names) + 1)]


def note_fields(con: duckdb.DuckDBPyConnection, provider: str, fields: Fields, loaded_at: datetime) -> None:
    """Remember what has been seen in a batch; call it in the transaction of its rows."""
    known = _known(con, provider, fields.table)
    total, there = known.get(WHOLE, _NEVER).records_with, dict.fromkeys(known)
    for path, kind, is_kept, is_used, count in fields.seen():
        there.pop(path, None)
        if path not in known and not is_kept and len(known) >= MOST_FIELDS:
            continue
        before = known.get(path, replace(_NEVER, records_before=total))
        known[path] = replace(
            before,
            kind=kind or before.kind,
            is_kept=is_kept,
            is_used=is_used,
            first_seen=before.first_seen or (loaded_at if count else None),
            last_seen=loaded_at if count else before.last_seen,
            records_with=before.records_with + count,
            records_absent=0 if count else before.records_absent + fields.records,
        )
    for path in there:
        known[path] = replace(
            known[path], is_kept=False, is_used=False, records_absent=known[path].records_absent + fields.records
        )
    con.execute(
        "delete from raw_meta.provider_fields where provider = $1 and table_name = $2", [provider, fields.table]
    )
    rows = [(provider, fields.table, path, *astuple(one)) for path, one in sorted(known.items())]
    con.execute(
        f"insert into raw_meta.provider_fields select {', '.join(f'unnest(${n})' for n in range(1, len(rows[0]) + 1))}",
        [list(column) for column in zip(*rows, strict=True)],
    )


def new_fields(con: duckdb.DuckDBPyConnection, provider: str, table: str, loaded_at: datetime) -> list[tuple[str, str]]:
    """(path, kind) of the fields that the load of this time was the first to bring, and that are not kept."""
    return [
        (path, one.kind or "null")
        for path, one in sorted(_known(con, provider, table).items())
        if one.first_seen == loaded_at and one.records_before >= ENOUGH and not one.is_kept
    ]


def left_out(con: duckdb.DuckDBPyConnection, provider: str, table: str) -> list[tuple[str, str, datetime]]:
    """(path, kind, first seen) of the fields that the provider gives and that are not kept."""
    found = sorted(_known(con, provider, table).items())
    return [(path, one.kind or "null", one.first_seen) for path, one in found if not one.is_kept and one.first_seen]


def vanished(con: duckdb.DuckDBPyConnection, provider: str, table: RawTable) -> list[tuple[str, str, datetime]]:
    """(raw table, column, last seen) of the columns whose fields no longer come, in none of their places.

    A field that came with every tenth record is missed after 200 records without it, one of every record after 20.
    """
    known = _known(con, provider, table.name)
    total = known.get(WHOLE, _NEVER).records_with
    columns = [(table.name, name, column.paths) for name, column in table.columns.items()]
    if table.parts is not None:
        part, where, within = table.parts
        columns += [
            (part, name, tuple(within_parts(where, path) for path in column.paths)) for name, column in within.items()
        ]
    found = []
    for raw, name, paths in columns:
        came = [known[one] for one in map(place_of, paths) if one in known and known[one].records_with]
        if came and all(_is_gone(one, total) for one in came):
            found.append((raw, name, max(one.last_seen for one in came if one.last_seen)))
    return found


def _is_gone(one: _Known, total: int) -> bool:
    share = min(1.0, one.records_with / max(total - one.records_absent, 1))
    return share * one.records_absent >= ENOUGH


def _known(con: duckdb.DuckDBPyConnection, provider: str, table: str) -> dict[str, _Known]:
    rows = con.execute(
        "select * exclude (provider, table_name) from raw_meta.provider_fields where provider = $1 and table_name = $2",
        [provider, table],
    ).fetchall()
    return {path: _Known(*rest) for path, *rest in rows}
