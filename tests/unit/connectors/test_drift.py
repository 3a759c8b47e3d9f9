"""Records that change: what is new is told by name, what takes another form is set aside, what goes is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from dagster_project.connectors import fields, landing
from dagster_project.connectors.casts import Clocks
from dagster_project.connectors.landing import Batch, Landed
from dagster_project.connectors.raw_tables import RawColumn, RawTable

UTC = Clocks("UTC", "UTC")
FIRST = datetime(2026, 5, 1, 6, 0)
ORDERS = RawTable(
    "orders",
    ("id", "created", "state", "total", "buyer.id", "old_buyer", "tags", "lines.data.sku.code", "lines.data.count"),
    {
        "id": RawColumn("text", ("id",)),
        "created_at": RawColumn("epoch", ("created",)),
        "state": RawColumn("text", ("state",)),
        "total": RawColumn("integer", ("total",)),
        "buyer": RawColumn("text", ("buyer.id", "old_buyer")),
        "first_tag": RawColumn("text", ("tags[0]",)),
    },
    parts=(
        "order_lines",
        "$.lines.data[*]",
        {"sku": RawColumn("text", ("sku.code",)), "count": RawColumn("integer", ("count",))},
    ),
)


class Shop:
    """Loads orders, a day later each time."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con, self.at, self.table = con, FIRST, ORDERS
        landing.prepare(con, "shop", (ORDERS,), UTC)

    def load(self, *records: dict[str, Any]) -> Landed:
        self.at += timedelta(days=1)
        landed = Landed()
        landing.prepare(self.con, "shop", (self.table,), UTC)
        landing.land(self.con, "shop", self.table, Batch("orders", records, "/orders", {}), UTC, self.at, landed)
        return landed

    def load_many(self, how_many: int, **changed: Any) -> Landed:
        return self.load(*(order(f"m{number}", **changed) for number in range(how_many)))

    def new(self) -> list[tuple[str, str]]:
        return fields.new_fields(self.con, "shop", "orders", self.at)

    def vanished(self) -> list[tuple[str, str]]:
        return [(table, column) for table, column, _ in fields.vanished(self.con, "shop", self.table)]

    def aside(self) -> list[tuple[str, str, str]]:
        return self.con.execute(
            "select file, column_name, reason from raw_quarantine.rejected_rows where source = 'shop' order by all"
        ).fetchall()

    def ids(self) -> list[str]:
        return [row[0] for row in self.con.execute("select id from raw_shop.orders order by _seq").fetchall()]

    def stored(self) -> str:
        tables = self.con.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        rows = [self.con.execute(f"select * from {schema}.{name}").fetchall() for schema, name in tables]
        return json.dumps(rows, default=str)


GONE: Any = object()


def order(one: str, **changed: Any) -> dict[str, Any]:
    lines = {"data": [{"sku": {"code": "s1"}, "count": 2}]}
    whole = {"id": one, "created": 1_777_000_000, "state": "open", "total": 5, "buyer": {"id": "b1"}, "tags": ["x"]}
    return {name: value for name, value in {**whole, "lines": lines, **changed}.items() if value is not GONE}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with duckdb.connect() as con:
        yield Shop(con)


def test_a_new_field_is_told_by_name_and_its_value_is_not_stored(shop: Shop) -> None:
    shop.load_many(30)
    assert shop.new() == [], "at first every field is new"
    shop.load_many(3, note="call Jane", buyer={"id": "b1", "mail": "jane@example.com"})
    assert shop.new() == [("buyer.mail", "text"), ("note", "text")]
    assert "jane" not in shop.stored().lower()
    shop.load_many(3, note="call Jane")
    assert shop.new() == [], "told once"
    assert [name for name, _, _ in fields.left_out(shop.con, "shop", "orders")] == ["buyer.mail", "note"]


def test_what_is_left_out_whole_is_not_looked_into(shop: Shop) -> None:
    shop.load_many(30)
    shop.load_many(1, address={"street": "Elm"}, people=[{"name": "Jane"}])
    assert shop.new() == [("address", "object"), ("people", "list")]


def test_keys_that_are_no_names_are_not_stored(shop: Shop) -> None:
    shop.load_many(30)
    shop.load(order("1", **{"jane@example.com": 1, "7f3c-22": 1, "Jane Roe": 1}))
    assert shop.new() == [("*", "number")]
    assert "jane" not in shop.stored().lower()


def test_an_object_with_a_key_for_each_id_does_not_fill_the_table(shop: Shop) -> None:
    for number in range(5):
        shop.load(order("1", **{f"id_{number}_{key}": 1 for key in range(300)}))
    ((held,),) = shop.con.execute("select count(*) from raw_meta.provider_fields").fetchall()
    assert held <= fields.MOST_FIELDS + len(ORDERS.keep) + 5


def test_too_few_records_before_make_no_field_new(shop: Shop) -> None:
    shop.load_many(fields.ENOUGH - 1)
    shop.load_many(1, note="x")
    assert shop.new() == []


OTHER_FORMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "object for text": ({"state": {"name": "open"}}, "state", "comes in another form"),
    "list for text": ({"state": ["open"]}, "state", "comes in another form"),
    "text for number": ({"total": "five"}, "total", "is not a whole number"),
    "object for number": ({"total": {"amount": 5}}, "total", "comes in another form"),
    "text for time": ({"created": "2026-05-01"}, "created_at", "is no time"),
    "text for object": ({"buyer": "b1"}, "buyer", "comes in another form"),
    "list for object": ({"buyer": [{"id": "b1"}]}, "buyer", "comes in another form"),
    "text for list": ({"tags": "x"}, "first_tag", "comes in another form"),
    "list around the parts": ({"lines": []}, "order_lines", "comes in another form"),
    "object for the parts": ({"lines": {"data": {"sku": "s1"}}}, "order_lines", "comes in another form"),
    "text in a part": ({"lines": {"data": [{"sku": "s1", "count": 2}]}}, "order_lines.sku", "comes in another form"),
    "second part": ({"lines": {"data": [{"count": 2}, {"count": "2x"}]}}, "order_lines.count", "is not a whole number"),
}


def test_a_value_of_another_form_sets_its_record_aside(shop: Shop) -> None:
    faulty = [order(name, **changed) for name, (changed, _, _) in OTHER_FORMS.items()]
    assert shop.load(order("good"), *faulty, order("?", id={"of": "x"})).rejected == len(OTHER_FORMS) + 1
    assert shop.ids() == ["good"]
    aside = {file.removeprefix("/orders/"): (column, reason) for file, column, reason in shop.aside()}
    assert aside.pop("?") == ("id", "is missing")
    assert {name: column for name, (column, _) in aside.items()} == {
        name: column for name, (_, column, _) in OTHER_FORMS.items()
    }
    assert [name for name, (_, reason) in aside.items() if not reason.startswith(OTHER_FORMS[name][2])] == []
    assert shop.con.execute("select distinct parent_id from raw_shop.order_lines").fetchall() == [("good",)]


def test_what_can_be_read_all_the_same_is_not_set_aside(shop: Shop) -> None:
    shop.load(
        order("nulls", state=None, buyer=None, tags=None, lines=None),
        order("other place", buyer="b1", old_buyer="b0"),  # what the one place lacks the other has
        order("number for text", state=7),
        order("empty lists", tags=[], lines={"data": []}),
        order("number for an id", id=12),
    )
    assert shop.aside() == []
    assert shop.con.execute("select buyer from raw_shop.orders where id = 'other place'").fetchall() == [("b0",)]


def test_what_comes_whole_again_is_no_longer_set_aside(shop: Shop) -> None:
    shop.load(order("1", total="five"))
    shop.load(order("1", total="five"))
    assert len(shop.aside()) == 1, "once, though it came twice"
    shop.load(order("1"))
    assert (shop.aside(), shop.ids()) == ([], ["1"])


def test_records_without_an_id_are_each_set_aside(shop: Shop) -> None:
    assert shop.load(order("1", id=GONE), order("2", id=None), order("3")).rejected == 2
    assert shop.ids() == ["3"]


def test_a_field_that_no_longer_comes_is_missed(shop: Shop) -> None:
    shop.load_many(30)
    shop.load_many(fields.ENOUGH - 1, state=GONE)
    assert shop.vanished() == []
    shop.load_many(1, state=GONE)
    assert shop.vanished() == [("orders", "state")]
    shop.load()
    assert shop.vanished() == [("orders", "state")], "a load without records tells nothing new"
    shop.load_many(1)
    assert shop.vanished() == []


def test_a_field_that_few_records_have_is_missed_later(shop: Shop) -> None:
    shop.load_many(90, state=GONE)
    shop.load_many(10)
    shop.load_many(150, state=GONE)
    assert shop.vanished() == []
    shop.load_many(60, state=GONE)
    assert shop.vanished() == [("orders", "state")]


def test_a_column_with_another_place_left_has_not_vanished(shop: Shop) -> None:
    shop.load_many(30, old_buyer="b0")
    shop.load_many(30, buyer=GONE, old_buyer="b0")
    assert shop.vanished() == []
    shop.load_many(30, buyer=GONE)
    assert shop.vanished() == [("orders", "buyer")]


def test_a_field_of_the_parts_is_missed_too(shop: Shop) -> None:
    shop.load_many(30)
    shop.load_many(30, lines={"data": [{"sku": {"code": "s1"}}]})
    assert shop.vanished() == [("order_lines", "count")]


def test_a_field_that_was_never_there_is_not_missed(shop: Shop) -> None:
    shop.load_many(100, state=GONE)
    assert shop.vanished() == []


def test_what_is_remembered_goes_in_with_the_rows_or_not_at_all(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.load_many(30)
    before = shop.con.execute("select * from raw_meta.provider_fields order by all").fetchall()
    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(landing, "_store_parts", fail)
        shop.load_many(5, note="x")
    assert shop.con.execute("select * from raw_meta.provider_fields order by all").fetchall() == before


def fail(*arguments: Any) -> None:
    raise RuntimeError("power cut")
