"""What a value becomes, what breaks the contract, and how the mapping's options change it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from conftest import World

from dagster_project.connectors.files import SourceFileError

INVOICES = {"invoice_id": "id", "account_id": "account", "issued_on": "issued", "due_on": "due"}
TICKETS = {"ticket_id": "id", "account_id": "account", "created_at": "at"}


def load_accounts(world: World, column: str, cells: list[str], mapped: object = "x", **options: Any) -> dict[str, Any]:
    """Load one row a cell; returns the accepted ones, account -> value."""
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since", column: mapped}, **options)
    body = "".join(f"A{number};2026-01-01;{cell}\n" for number, cell in enumerate(cells, start=1))
    world.write("accounts.csv", "id;since;x\n" + body)
    world.load("accounts")
    return dict(world.rows(f"select account_id, {column} from raw_files.accounts"))


def reasons(world: World) -> dict[int, tuple[Any, ...]]:
    return {row[1]: row[2:] for row in world.rejected()}


def test_numbers_that_are_whole_numbers_and_some_that_look_like_it(world: World) -> None:
    cells = [
        "12",
        " 7 ",
        "+3",
        "12.0",
        "5.",
        "12.5",
        "1,000",
        "1_000",
        "0x1F",
        "1e3",
        "12abc",
        "99999999999999999999",
        "nan",
    ]
    accepted = load_accounts(world, "seats", cells)
    assert accepted == {"A1": 12, "A2": 7, "A3": 3, "A4": 12, "A5": 5}
    assert {value for _, _, value in reasons(world).values()} == set(cells[5:])
    assert {reason for _, reason, _ in reasons(world).values()} == {"is not a whole number"}


def test_decimals(world: World) -> None:
    cells = ["12.34567", "-0", ".5", "1e3", " 2.50 ", "1,5", "$5", "inf", "1e30", "0x1F", "1_0"]
    accepted = load_accounts(world, "arr", cells)
    wanted = {"A1": "12.3457", "A2": "0", "A3": "0.5", "A4": "1000", "A5": "2.5"}
    assert accepted == {key: Decimal(text) for key, text in wanted.items()}
    assert [reason for _, reason, _ in reasons(world).values()] == ["is not a number"] * 6


def test_flags(world: World) -> None:
    cells = ["True", "FALSE", "t", "f", "Yes", "no", "1", "0", " y ", "n", "maybe", "2"]
    accepted = load_accounts(world, "is_churned", cells)
    assert list(accepted.values()) == [True, False] * 5
    assert [row[1:] for row in reasons(world).values()] == [
        ("is not true or false", "maybe"),
        ("is not true or false", "2"),
    ]


def test_texts_that_mean_nothing(world: World) -> None:
    accepted = load_accounts(world, "segment", ["", '""', "NULL", "null", "None", "NaN", "nan", "n/a", " "])
    assert accepted == {f"A{number}": None for number in range(1, 7)} | {"A7": "nan", "A8": "n/a", "A9": " "}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_texts_that_mean_nothing_by_config(world: World, kind: str) -> None:
    world.map("accounts", f"a.{kind}", {"account_id": "id", "created_on": "on", "seats": "n"}, nulls=["n/a", "-"])
    rows = [
        ("A1", "2026-01-01", "-"),
        ("A2", "2026-01-01", "NULL"),
        ("A3", "2026-01-01", "3"),
        ("n/a", "2026-01-01", "3"),
    ]
    lines = {
        "csv": "id,on,n\n" + "".join(",".join(row) + "\n" for row in rows),
        "jsonl": "".join(f'{{"id": "{a}", "on": "{b}", "n": "{c}"}}\n' for a, b, c in rows),
    }
    world.write(f"a.{kind}", lines[kind])
    world.load("accounts")
    assert world.rows("select account_id, seats from raw_files.accounts order by 1") == [("A1", None), ("A3", 3)]
    assert [row[2:4] for row in world.rejected()] == [("seats", "is not a whole number"), ("account_id", "is missing")]


def test_dates(world: World) -> None:
    cells = ["2026-01-31", "2026/1/5", "2026-01-31 23:59:59", "2026-01-31T10:00:00Z", " 2026-01-31 "]
    bad = [
        "2026-02-30",
        "31.01.2026",
        "01/02/2026",
        "20260131",
        "2026-01-31 10:00:00 foo",
        "2026-01",
        "infinity",
        "epoch",
        "today",
    ]
    outside = ["1969-12-31", "9999-12-31", "2200-01-02", "0001-01-01"]
    accepted = load_accounts(world, "renewal_on", [*cells, "1970-01-01", "2200-01-01", *bad, *outside])
    assert list(accepted.values()) == [
        date(2026, 1, 31),
        date(2026, 1, 5),
        date(2026, 1, 31),
        date(2026, 1, 31),
        date(2026, 1, 31),
        date(1970, 1, 1),
        date(2200, 1, 1),
    ]
    found = [(reason, value) for _, reason, value in reasons(world).values()]
    assert found[: len(bad)] == [("is not a date", text) for text in bad]
    assert found[len(bad) :] == [("is outside 1970-01-01 to 2200-01-01", text) for text in outside]


def test_times_are_turned_to_the_companys_clock(world: World) -> None:
    """Berlin company, New York source: an offset in the value wins; a bare day is a day and is not shifted."""
    world.top["timezone"] = "Europe/Berlin"
    world.source["timezone"] = "America/New_York"
    cells = {
        "2026-01-15 10:00:00": datetime(2026, 1, 15, 16),
        "2026-01-15T10:00": datetime(2026, 1, 15, 16),
        "2026-07-15 20:00:00.123456": datetime(2026, 7, 16, 2, 0, 0, 123456),
        "2026-01-15T10:00:00Z": datetime(2026, 1, 15, 11),
        "2026-07-15 10:00:00 UTC": datetime(2026, 7, 15, 12),
        "2026-07-15T10:00Z": datetime(2026, 7, 15, 12),
        "2026-01-15 10:00:00+05:30": datetime(2026, 1, 15, 5, 30),
        "2026-01-15 10:00:00 +0530": datetime(2026, 1, 15, 5, 30),
        "2026-01-15T10:00:00-08": datetime(2026, 1, 15, 19),
        "2026-01-15 10:00 -0800": datetime(2026, 1, 15, 19),
        "2026-01-15": datetime(2026, 1, 15),
        "2026/01/15": datetime(2026, 1, 15),
    }
    bad = [
        "2026-01-15 25:00:00",
        "2026-01-15 10:00:00 Europe/Paris",
        "1768471200",
        "2026-01-15T10",
        "2026-01-15T10:00:00Zx",
        "2026-01-15T10:00:5Z",
    ]
    accepted = load_accounts(world, "known_at", [*cells, *bad])
    assert list(accepted.values()) == list(cells.values())
    assert [row[1:] for row in reasons(world).values()] == [("is not a time", text) for text in bad]


def test_an_offset_is_never_dropped_where_company_and_source_are_utc(world: World) -> None:
    cells = ["2026-01-15 10:00:00+05:30", "2026-01-15T10:00:00Z", "2026-01-15 10:00:00", "2026-01-15"]
    accepted = load_accounts(world, "known_at", cells)
    assert [value.hour for value in accepted.values()] == [4, 10, 10, 0]


def test_the_day_of_an_instant_is_the_companys_day(world: World) -> None:
    world.top["timezone"] = "America/New_York"
    world.source["timezone"] = "UTC"
    cells = ["2026-01-15T02:00:00Z", "2026-01-15 02:00:00", "2026-01-15"]  # the second is a day with an idle clock
    accepted = load_accounts(world, "renewal_on", cells)
    assert [value.day for value in accepted.values()] == [14, 15, 15]


def test_format_of_dates_and_times(world: World) -> None:
    mapped = {"column": "x", "format": "%d/%m/%Y"}
    accepted = load_accounts(world, "renewal_on", ["31/01/2026", "5/1/2026", "31/02/2026", "2026-01-31"], mapped)
    assert list(accepted.values()) == [date(2026, 1, 31), date(2026, 1, 5)]
    assert [row[1:] for row in reasons(world).values()] == [
        ("is not a date written as %d/%m/%Y", "31/02/2026"),
        ("is not a date written as %d/%m/%Y", "2026-01-31"),
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("%d.%m.%Y %H:%M", "15.01.2026 10:00", datetime(2026, 1, 15, 16)),  # the source's clock
        ("%d.%m.%Y", "15.01.2026", datetime(2026, 1, 15)),  # a day
        ("%Y%m%dT%H%M%S%z", "20260115T100000+0000", datetime(2026, 1, 15, 11)),  # an instant
    ],
)
def test_format_of_times_and_clocks(world: World, pattern: str, text: str, wanted: datetime) -> None:
    world.top["timezone"] = "Europe/Berlin"
    world.source["timezone"] = "America/New_York"
    accepted = load_accounts(world, "known_at", [text], {"column": "x", "format": pattern})
    assert list(accepted.values()) == [wanted]


def test_a_format_that_duckdb_does_not_know(world: World) -> None:
    with pytest.raises(SourceFileError, match=r"the format '%d/%q' of renewal_on cannot be used \(unknown code %q\)"):
        load_accounts(world, "renewal_on", ["1"], {"column": "x", "format": "%d/%q"})


def test_values_are_recoded_and_the_others_kept_and_checked(world: World) -> None:
    severity = {"column": "level", "values": {"P1": "urgent", "it's": "low"}}
    world.map("tickets", "t.csv", {**TICKETS, "severity": severity})
    world.write(
        "t.csv",
        "id,account,at,level\nT1,A,2026-01-01,P1\nT2,A,2026-01-01,high\nT3,A,2026-01-01,P9\nT4,A,2026-01-01,it's\n",
    )
    world.load("tickets")
    assert world.column("select severity from raw_files.tickets order by _line") == ["urgent", "high", "low"]
    assert world.rejected() == [("t.csv", 4, "severity", "is none of urgent, high, normal, low", "P9")]


def test_an_override_ends_after_it_begins(world: World) -> None:
    names = ("override_id", "account_id", "kind", "score", "reason", "author", "starts_on", "expires_on")
    world.map("overrides", "o.csv", {name: name for name in names})
    rows = [
        ("2026-01-05", "2026-01-06"),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05", "2025-01-05"),
        ("2026-01-05", ""),
    ]
    lines = [f"O{n},A,cap,49,late,CSM,{start},{end}" for n, (start, end) in enumerate(rows)]
    world.write("o.csv", "\n".join([",".join(names), *lines, ""]))
    world.load("overrides")
    assert world.column("select override_id from raw_files.overrides") == ["O0"]
    assert world.rejected() == [
        ("o.csv", 3, "expires_on", "is not after starts_on", "2026-01-05"),
        ("o.csv", 4, "expires_on", "is not after starts_on", "2025-01-05"),
        ("o.csv", 5, "expires_on", "is missing", None),
    ]


def test_a_constant_value(world: World) -> None:
    outcomes = {"outcome_id": "id", "account_id": "account", "kind": {"value": "churn"}, "decided_on": "on"}
    world.map("outcomes", "o.csv", outcomes)
    world.write("o.csv", "id,account,on\nO1,A1,2026-01-01\n")
    world.load("outcomes")
    assert world.column("select kind from raw_files.outcomes") == ["churn"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_scale(world: World, kind: str) -> None:
    columns = {
        "account_id": "id",
        "created_on": "on",
        "arr": {"column": "cents", "scale": 0.01},
        "notice_days": {"column": "weeks", "scale": 7},
    }
    world.map("accounts", f"a.{kind}", columns)
    rows = [("A1", "1999", "2"), ("A2", "-5", "1"), ("A3", "abc", "1"), ("A4", "0x1F", "1"), ("A5", "10", "1.5")]
    lines = {
        "csv": "id,on,cents,weeks\n" + "".join(f"{a},2026-01-01,{b},{c}\n" for a, b, c in rows),
        "jsonl": "".join(f'{{"id": "{a}", "on": "2026-01-01", "cents": "{b}", "weeks": {c}}}\n' for a, b, c in rows),
    }
    world.write(f"a.{kind}", lines[kind])
    world.load("accounts")
    assert world.rows("select account_id, arr, notice_days from raw_files.accounts order by 1") == [
        ("A1", Decimal("19.9900"), 14),
        ("A5", Decimal("0.1000"), 11),  # 10.5 days, rounded
    ]
    assert [row[2:] for row in world.rejected()] == [
        ("arr", "is below 0", "-5"),
        ("arr", "is not a number", "abc"),
        ("arr", "is not a number", "0x1F"),
    ]


@pytest.mark.parametrize(("way", "key"), [("users", "user_id"), ("subscriptions", "subscription_id")])
def test_an_account_reached_through_another_entity(world: World, way: str, key: str) -> None:
    world.entities[way] = {"files": "none.csv", "columns": {"account_id": "a", key: "k", "started_on": "s"}}
    if way == "users":
        world.entities[way]["columns"].pop("started_on")
    world.map("usage_events", "u.csv", {"account_id": {"through": way}, key: "who", "occurred_at": "at"})
    world.write("u.csv", "who,at\nX1,2026-01-01\n,2026-01-01\n")
    world.load("usage_events")
    assert world.rows(f"select account_id, {key}, account_ref from raw_files.usage_events") == [(None, "X1", way)]
    assert world.rejected() == [("u.csv", 3, key, "is missing", None)]


def test_a_row_that_names_no_account_where_rows_should(world: World) -> None:
    world.map("tickets", "t.csv", TICKETS)
    world.write("t.csv", "id,account,at\nT1,,2026-01-01\nT2,A1,2026-01-01\n")
    world.load("tickets")
    assert world.column("select ticket_id from raw_files.tickets") == ["T2"]
    assert world.rejected() == [("t.csv", 2, "account_id", "is missing", None)]


def test_required_values_and_blank_ids(world: World) -> None:
    world.write("accounts.csv", "id,since\n,2026-01-01\n  ,2026-01-01\nA1,\nA2,2026-01-01\n")
    world.load("accounts")
    assert world.column("select account_id from raw_files.accounts") == ["A2"]
    assert [row[1:4] for row in world.rejected()] == [
        (2, "account_id", "is missing"),
        (3, "account_id", "is missing"),
        (4, "created_on", "is missing"),
    ]


def test_negative_mrr_and_the_bounds(world: World) -> None:
    columns = {"subscription_id": "id", "account_id": "account", "started_on": "on", "mrr": "mrr"}
    world.map("subscriptions", "s.csv", columns)
    world.write("s.csv", "id,account,on,mrr\nS1,A1,2026-01-01,0\nS2,A1,2026-01-01,-0.01\nS3,A1,2026-01-01,-1200\n")
    result = world.load("subscriptions")
    assert world.column("select subscription_id from raw_files.subscriptions") == ["S1"]
    assert result.rejected_by_reason == {"mrr is below 0": 2}
    assert world.rejected() == [("s.csv", 3, "mrr", "is below 0", "-0.01"), ("s.csv", 4, "mrr", "is below 0", "-1200")]
    pulses = {"account_id": "account", "pulse": "p", "given_on": "on"}
    world.map("pulses", "p.csv", pulses)
    world.write("p.csv", "account,on,p\nA,2026-01-01,5\nA,2026-01-02,6\nA,2026-01-03,1\nA,2026-01-04,0\n")
    result = world.load("pulses")
    assert world.column("select pulse from raw_files.pulses order by 1") == [1, 5]
    assert result.rejected_by_reason == {"pulse is above 5": 1, "pulse is below 1": 1}


def test_only_the_first_fault_of_a_row_is_told_and_long_values_are_cut(world: World) -> None:
    world.map("invoices", "i.csv", {**INVOICES, "amount": "amount"})
    world.write(
        "i.csv",
        f"id,account,issued,due,amount\nI1,A1,soon,later,{'9' * 200}\nI2,A1,2026-01-01,2026-01-31,{'8' * 200}\n",
    )
    result = world.load("invoices")
    assert result.rows_rejected == 2
    assert world.rejected() == [
        ("i.csv", 2, "amount", "is not a number", "9" * 80),
        ("i.csv", 3, "amount", "is not a number", "8" * 80),
    ]


def test_known_at_is_never_null(world: World) -> None:
    """As given, else when it happened, else (a user has no date at all) always known."""
    world.map("invoices", "i.csv", {**INVOICES, "known_at": "seen"})
    world.write(
        "i.csv",
        "id,account,issued,due,seen\nI1,A,2026-01-05,2026-02-05,2026-01-09 08:00:00\nI2,A,2026-01-05,2026-02-05,\n",
    )
    world.load("invoices")
    assert world.column("select known_at from raw_files.invoices order by 1") == [
        datetime(2026, 1, 5),
        datetime(2026, 1, 9, 8),
    ]
    world.map("users", "u.csv", {"user_id": "u", "account_id": "a"})
    world.write("u.csv", "u,a\nU1,A\n")
    world.load("users")
    assert world.column("select known_at from raw_files.users") == [datetime(1970, 1, 1)]


def test_a_personal_value_is_not_copied_to_quarantine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from dagster_project.entities import ENTITIES

    entity = ENTITIES["accounts"]
    columns = entity.columns | {"seats": replace(entity.columns["seats"], personal=True)}
    monkeypatch.setitem(ENTITIES, "accounts", replace(entity, columns=columns))
    load_accounts(world, "seats", ["secret"])
    assert world.rejected() == [("accounts.csv", 2, "seats", "is not a whole number", None)]
