"""What is loaded when: known files, touched files, changed files, vanished files; and the days that a load opens."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from conftest import LOADED_AT, World

TICKETS = {"ticket_id": "id", "account_id": "a", "created_at": "at", "solved_at": "solved", "status": "status"}
USAGE = {"event_id": "e", "account_id": "a", "occurred_at": "at", "known_at": "seen"}


def ticket_file(*rows: str) -> str:
    return "id,a,at,solved,status\n" + "".join(row + "\n" for row in rows)


def test_a_known_file_is_not_loaded_twice(world: World) -> None:
    world.write("accounts.csv", "id,since\nA1,2026-01-01\nA2,never\n")
    first = world.load("accounts")
    before = world.everything("accounts")
    second = world.load("accounts", LOADED_AT + timedelta(days=1))
    assert (first.files_loaded, first.files_unchanged, first.rows_read) == (1, 0, 2)
    assert (second.files_found, second.files_loaded, second.files_unchanged, second.rows_read) == (1, 0, 1, 0)
    assert world.everything("accounts") == before


def test_a_touched_file_is_not_loaded_again(world: World) -> None:
    path = world.write("accounts.csv", "id,since\nA1,2026-01-01\n")
    world.load("accounts")
    loaded = "select _file_id, _loaded_at from raw_files.accounts"
    before = world.rows(loaded)
    world.touch(path)
    assert world.load("accounts", LOADED_AT + timedelta(days=1)).files_unchanged == 1
    assert world.rows(loaded) == before
    assert world.column("select modified_ns from raw_meta.loaded_files") == [path.stat().st_mtime_ns]


def test_same_size_and_time_is_not_even_read(world: World) -> None:
    path = world.write("accounts.csv", "id,since\nA1,2026-01-01\n")
    world.load("accounts")
    times = path.stat()
    path.write_text("id,since\nA9,2026-01-01\n")
    import os

    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert world.load("accounts").files_unchanged == 1


def test_a_changed_file_replaces_its_own_rows_only(world: World) -> None:
    world.map("tickets", "t/*.csv", TICKETS)
    world.write("t/1.csv", ticket_file("T1,A1,2026-01-01,,open", "T2,A1,2026-01-02,,open", "T9,A1,never,,"))
    world.write("t/2.csv", ticket_file("T3,A1,2026-01-03,,open", "T8,A1,never,,"))
    world.load("tickets")
    world.write("t/1.csv", ticket_file("T1,A1,2026-01-01,,open", "T4,A1,2026-01-04,,open"))
    result = world.load("tickets", LOADED_AT + timedelta(days=1))
    assert (result.files_loaded, result.files_unchanged, result.rows_read) == (1, 1, 2)
    assert world.rows("select ticket_id, _loaded_at from raw_files.tickets order by 1") == [
        ("T1", LOADED_AT + timedelta(days=1)),
        ("T3", LOADED_AT),
        ("T4", LOADED_AT + timedelta(days=1)),
    ]
    assert [row[:2] for row in world.rejected()] == [("t/2.csv", 3)]
    ledger = "select path, rows_read, rows_rejected, loaded_at from raw_meta.loaded_files order by path"
    assert world.rows(ledger) == [("t/1.csv", 2, 0, LOADED_AT + timedelta(days=1)), ("t/2.csv", 2, 1, LOADED_AT)]


def test_every_row_belongs_to_a_file_of_the_ledger(world: World) -> None:
    world.map("tickets", "t/*.csv", TICKETS)
    for text in ("2026-01-01", "2026-01-02", "2026-01-03"):
        world.write("t/1.csv", ticket_file(f"T1,A1,{text},,open"))
        world.write("accounts.csv", f"id,since\nA1,{text}\n")
        world.load("tickets")
        world.load("accounts")
    for entity in ("tickets", "accounts"):
        ledger = "left join raw_meta.loaded_files l on l.file_id = t._file_id"
        joined = f"select t._file, l.path, l.entity from raw_files.{entity} t {ledger}"
        assert [(row[0], row[2]) for row in world.rows(joined)] == [(row[1], entity) for row in world.rows(joined)]
    assert world.column("select count(*) - count(distinct file_id) from raw_meta.loaded_files") == [0]


def test_a_vanished_file_keeps_its_rows(world: World) -> None:
    world.write("accounts1.csv", "id,since\nA1,2026-01-01\n")
    path = world.write("accounts2.csv", "id,since\nA2,2026-01-01\n")
    world.load("accounts")
    path.unlink()
    assert world.load("accounts").files_found == 1
    assert world.column("select account_id from raw_files.accounts order by 1") == ["A1", "A2"]
    world.write("accounts2.csv", "id,since\nA2,2026-01-01\n")
    assert world.load("accounts").files_loaded == 0


@pytest.mark.parametrize("change", ["column", "nulls", "timezone", "scale"])
def test_a_changed_mapping_loads_the_files_again(world: World, change: str) -> None:
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since", "arr": "arr"})
    world.write("accounts.csv", "id,since,arr,other\nA1,2026-01-01,1,2\n")
    world.load("accounts")
    world.forget_open_days()
    columns = dict(world.entities["accounts"]["columns"])
    if change == "column":
        world.map("accounts", "accounts.csv", columns | {"arr": "other"})
    elif change == "nulls":
        world.map("accounts", "accounts.csv", columns, nulls=["1"])
    elif change == "scale":
        world.map("accounts", "accounts.csv", columns | {"arr": {"column": "arr", "scale": 2}})
    else:
        world.top["timezone"] = "Europe/Berlin"
    assert world.load("accounts").files_loaded == 1
    expected = {"column": [2], "nulls": [None], "timezone": [1], "scale": [2]}
    assert world.column("select arr from raw_files.accounts") == expected[change]
    assert world.open_days("accounts") == ([] if change == "timezone" else ["2026-01-01"])


def test_a_glob_alone_is_no_reason_to_load_again(world: World) -> None:
    world.write("accounts.csv", "id,since\nA1,2026-01-01\n")
    world.load("accounts")
    world.map("accounts", "acc*.csv", {"account_id": "id", "created_on": "since"})
    assert world.load("accounts").files_loaded == 0


def test_repeated_accounts(world: World) -> None:
    """In one file, across files of one load, and against what was loaded before; a new version is no repeat."""
    world.map("accounts", "a*.csv", {"account_id": "id", "created_on": "since", "known_at": "seen"})
    world.write(
        "a1.csv", "id,since,seen\nA1,2026-01-01,2026-01-01\nA2,2026-01-01,2026-01-01\nA1,2026-01-01,2026-01-01\n"
    )
    world.write("a2.csv", "id,since,seen\nA1,2026-01-01,2026-02-01\nA2,2026-01-01,2026-01-01\n")
    result = world.load("accounts")
    assert result.rejected_by_reason == {"account_id repeats": 2}
    assert world.rejected() == [
        ("a1.csv", 4, "account_id", "account_id 'A1' repeats (first at a1.csv line 2)", "A1"),
        ("a2.csv", 3, "account_id", "account_id 'A2' repeats (first at a1.csv line 3)", "A2"),
    ]
    world.write("a0.csv", "id,since,seen\nA3,2026-01-01,\nA1,2026-01-01,2026-02-01\n")
    world.load("accounts")
    assert world.rejected()[0] == ("a0.csv", 3, "account_id", "account_id 'A1' repeats (first at a2.csv line 2)", "A1")
    assert world.rows("select account_id, known_at::date::varchar from raw_files.accounts order by 1, 2") == [
        ("A1", "2026-01-01"),
        ("A1", "2026-02-01"),
        ("A2", "2026-01-01"),
        ("A3", "2026-01-01"),
    ]


def test_a_repeated_account_counts_once_its_first_row_is_gone(world: World) -> None:
    world.write("accounts1.csv", "id,since\nA1,2026-01-01\nB1,2026-01-01\n")
    world.write("accounts2.csv", "id,since\nA1,2026-01-01\nA2,2026-01-01\n")
    world.load("accounts")
    world.write("accounts1.csv", "id,since\nB1,2026-01-01\n")
    world.load("accounts")
    assert world.rows("select account_id, _file from raw_files.accounts order by 1") == [
        ("A1", "accounts2.csv"),
        ("A2", "accounts2.csv"),
        ("B1", "accounts1.csv"),
    ]
    assert world.rejected() == []


def test_an_unchanged_account_of_a_changed_file_is_no_repeat_of_itself(world: World) -> None:
    world.write("accounts.csv", "id,since\nA1,2026-01-01\n")
    world.load("accounts")
    world.write("accounts.csv", "id,since\nA2,2026-01-01\nA1,2026-01-01\n")
    world.load("accounts")
    assert world.column("select account_id from raw_files.accounts order by _line") == ["A2", "A1"]


def test_repeats_in_other_entities_are_left_to_staging(world: World) -> None:
    world.map("tickets", "t.csv", TICKETS)
    world.write("t.csv", ticket_file("T1,A1,2026-01-01,,open", "T1,A1,2026-01-01,,open"))
    assert world.load("tickets").rows_accepted == 2


def usage_file(*rows: tuple[str, str, str]) -> str:
    return "e,a,at,seen\n" + "".join(f"{event},A1,{at},{seen}\n" for event, at, seen in rows)


def test_days_that_usage_opens(world: World) -> None:
    """The day an event became known, only for events that are new or gone; an unchanged row opens nothing."""
    world.map("usage_events", "u*.csv", USAGE)
    first = [("E1", "2026-01-01 10:00:00", "2026-01-03 01:00:00"), ("E2", "2026-01-05", ""), ("E3", "2026-01-06", "")]
    world.write("u1.csv", usage_file(*first))
    result = world.load("usage_events")
    assert world.open_days("usage_events") == ["2026-01-03", "2026-01-05", "2026-01-06"]
    assert (result.days_opened, result.open_from) == (3, date(2026, 1, 3))
    world.forget_open_days()
    world.write("u1.csv", usage_file(first[2], first[0], ("E4", "2026-01-09", ""), ("E4", "2026-01-09", "")))
    world.write("u2.csv", usage_file(("E5", "2026-02-01", "")))
    result = world.load("usage_events")
    assert world.open_days("usage_events") == ["2026-01-05", "2026-01-09", "2026-02-01"]
    assert (result.days_opened, result.open_from) == (3, date(2026, 1, 5))
    world.forget_open_days()
    world.write("u1.csv", usage_file(first[2], first[0], ("E4", "2026-01-09", "")))
    assert world.load("usage_events").open_from == date(2026, 1, 9)  # one of two equal rows is gone
    world.forget_open_days()
    world.write("u1.csv", usage_file(first[0], ("E4", "2026-01-09", ""), first[2]))
    result = world.load("usage_events")
    assert (result.files_loaded, result.days_opened, result.open_from) == (1, 0, None)


def test_days_that_a_ticket_opens(world: World) -> None:
    world.map("tickets", "t*.csv", TICKETS)
    old = ["T1,A1,2026-01-01,,open", "T2,A1,2026-01-02,2026-01-08,done", "T3,A1,2026-01-03,,open"]
    world.write("t1.csv", ticket_file(*old))
    world.load("tickets")
    assert world.open_days("tickets") == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-08"]

    def changed_to(*rows: str) -> list[str]:
        world.forget_open_days()
        world.write("t1.csv", ticket_file(*rows))
        world.load("tickets")
        return world.open_days("tickets")

    assert changed_to(*reversed(old)) == []
    assert changed_to("T1,A1,2026-01-01,2026-01-20,done", *old[1:]) == ["2026-01-20"]  # solved: its own day
    assert changed_to("T1,A1,2026-01-01,2026-01-18,done", *old[1:]) == ["2026-01-18", "2026-01-20"]  # both were wrong
    assert changed_to("T1,A1,2026-01-01,2026-01-18,shut", *old[1:]) == [
        "2026-01-18"
    ]  # another column: the last known day
    assert changed_to(*old[1:]) == ["2026-01-01", "2026-01-18"]  # gone: every day it stood on
    assert changed_to(*old[1:], old[1]) == []  # a second copy says nothing new


def test_a_full_copy_each_day_opens_only_what_differs_in_it(world: World) -> None:
    """Tomorrow's export holds all of today's rows again, under another name."""
    world.map("tickets", "t*.csv", TICKETS)
    rows = [f"T{number},A1,2026-01-{number:02},,open" for number in range(1, 11)]
    world.write("t1.csv", ticket_file(*rows))
    world.load("tickets")
    world.forget_open_days()
    world.write(
        "t2.csv", ticket_file(*rows[:5], "T6,A1,2026-01-06,2026-01-11,done", *rows[6:], "T11,A1,2026-01-11,,open")
    )
    world.load("tickets")
    assert world.open_days("tickets") == ["2026-01-11"]


def test_days_of_users_accounts_and_versions(world: World) -> None:
    world.map("accounts", "a.csv", {"account_id": "id", "created_on": "since", "ended_on": "ended", "known_at": "seen"})
    world.write("a.csv", "id,since,ended,seen\nA1,2025-01-01,,2026-01-05\nA1,2025-01-01,2026-02-01,2026-01-20\n")
    world.load("accounts")
    assert world.open_days("accounts") == ["2026-01-05", "2026-01-20", "2026-02-01"]
    world.map("users", "u.csv", {"user_id": "u", "account_id": "a"})
    world.write("u.csv", "u,a\nU1,A1\n")
    assert world.load("users").open_from == date(1970, 1, 1)


def test_open_days_are_noted_once_and_not_undone(world: World) -> None:
    world.map("usage_events", "u*.csv", USAGE)
    world.write("u1.csv", usage_file(("E1", "2026-01-01", "")))
    world.load("usage_events")
    world.write("u2.csv", usage_file(("E2", "2026-01-01", ""), ("E3", "2026-01-02", "")))
    result = world.load("usage_events", LOADED_AT + timedelta(days=1))
    assert result.days_opened == 2
    assert world.rows("select day, source, entity, opened_at from raw_meta.open_days order by day") == [
        (date(2026, 1, 1), "files", "usage_events", LOADED_AT),
        (date(2026, 1, 2), "files", "usage_events", LOADED_AT + timedelta(days=1)),
    ]


def test_faulty_rows_open_no_day(world: World) -> None:
    world.map("usage_events", "u*.csv", {**USAGE, "quantity": "n"})
    world.write("u1.csv", "e,a,at,seen,n\nE1,A1,2026-01-01,,1\nE2,A1,2026-01-02,,-1\n")
    world.load("usage_events")
    assert world.open_days("usage_events") == ["2026-01-01"]


def test_loading_in_any_order_gives_the_same_rows(world: World) -> None:
    """Day by day, or everything at once: the raw table says the same."""
    import duckdb

    from dagster_project.connectors.files import prepare

    world.map("tickets", "t*.csv", TICKETS)
    for day in range(1, 6):
        world.write(f"t{day}.csv", ticket_file(f"T{day},A1,2026-01-0{day},,open", f"T{day},A1,oops,,"))
        world.load("tickets")
    said = "select * exclude (_file_id, _loaded_at) from raw_files.tickets order by all"
    by_day, by_day_rejected = world.rows(said), world.rejected()
    with duckdb.connect() as con:
        prepare(con)
        world.con = con
        assert world.load("tickets", datetime(2027, 1, 1)).files_loaded == 5
        assert (world.rows(said), world.rejected()) == (by_day, by_day_rejected)


def test_small_batches_give_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.connectors import files

    monkeypatch.setattr(files, "BATCH_FILES", 2)
    for number in range(1, 6):
        world.write(f"accounts{number}.csv", f"id,since\nA{number},2026-01-01\nA{number - 1},2026-01-01\nX,never\n")
    result = world.load("accounts")
    assert (result.rows_read, result.rows_accepted) == (15, 6)
    assert result.rejected_by_reason == {"created_on is not a date": 5, "account_id repeats": 4}
    assert world.rows("select account_id, _file from raw_files.accounts order by 1") == [
        ("A0", "accounts1.csv"),
        *[(f"A{number}", f"accounts{number}.csv") for number in range(1, 6)],
    ]
