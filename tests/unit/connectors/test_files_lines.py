"""Rows that are no rows: broken CSV, broken JSON. Each is told with its exact line, and costs nobody else."""

from __future__ import annotations

import random

import pytest
from conftest import World

from dagster_project.connectors.casts import Clocks, Raw
from dagster_project.connectors.contract import Plan
from dagster_project.connectors.files import SourceFileError
from dagster_project.entities import ENTITIES
from dagster_project.settings import FileEntity

NAMED = {"account_id": "id", "created_on": "since", "name": "name"}
BAD_QUOTE = "has a quote that is not closed, or text after a closing quote"


def load_named(world: World, text: str | bytes, **options: object) -> list[tuple[object, ...]]:
    world.map("accounts", "accounts.csv", NAMED, **options)
    world.write("accounts.csv", text)
    world.load("accounts")
    return world.rows("select account_id, name, _line from raw_files.accounts order by _line")


def faults(world: World) -> list[tuple[object, ...]]:
    return [row[1:4] for row in world.rejected()]


def test_lines_with_quoted_newlines_and_blank_lines(world: World) -> None:
    text = (
        'id,since,name\nA1,2026-01-01,"two\nlines"\n\nA2,2026-01-01,"three\n\n""lines"""\nA3,bad,x\n'
        "   \n\nA4,2026-01-01,y\n\n\n"
    )
    assert load_named(world, text) == [("A1", "two\nlines", 2), ("A2", 'three\n\n"lines"', 5), ("A4", "y", 11)]
    assert world.rejected() == [("accounts.csv", 8, "created_on", "is not a date", "bad")]


def test_quoted_newlines_of_a_windows_file_stay_as_they_are(world: World) -> None:
    text = b'id,since,name\r\nA1,2026-01-01,"two\r\nlines"\r\nA2,2026-01-01,"one\nfeed"\r\n'
    assert load_named(world, text) == [("A1", "two\r\nlines", 2), ("A2", "one\nfeed", 4)]


def test_too_many_and_too_few_values(world: World) -> None:
    text = "id,since,name\nA1,2026-01-01,x,y\nA2\nA3,2026-01-01,z\nA4,2026-01-01\nA5,2026-01-01,v,,\n"
    assert load_named(world, text) == [("A3", "z", 4), ("A5", "v", 6)]
    assert faults(world) == [
        (2, None, "has 4 values where the header has 3"),
        (3, None, "has 1 value where the header has 3"),
        (5, None, "has 2 values where the header has 3"),
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line_only(world: World) -> None:
    text = (
        'id,since,name\nA1,2026-01-01,"open\nA2,2026-01-01,"fine, ""too"""\nA3,2026-01-01,z\n'
        'A4,2026-01-01,"to the end\nA5,2026-01-01,last'
    )
    assert load_named(world, text) == [("A2", 'fine, "too"', 3), ("A3", "z", 4), ("A5", "last", 6)]
    assert faults(world) == [(2, None, BAD_QUOTE), (5, None, BAD_QUOTE)]


def test_text_after_a_closing_quote(world: World) -> None:
    text = 'id,since,name\nA1,2026-01-01,"a"b\nA2,2026-01-01,"c" \nA3,2026-01-01,5" disk\nA4,2026-01-01,  "d,e"\n'
    assert load_named(world, text) == [("A2", "c", 3), ("A3", '5" disk', 4), ("A4", "d,e", 5)]
    assert faults(world) == [(2, None, BAD_QUOTE)]


def test_broken_rows_of_several_kinds_in_one_file_and_good_files_beside_it(world: World) -> None:
    world.map("accounts", "accounts*.csv", NAMED)
    world.write("accounts1.csv", "id,since,name\nA1,2026-01-01,x\n")
    world.write("accounts2.csv", 'id,since,name\nB1,2026-01-01,x,y\nB2,2026-01-01,"q\nr"\nB3,x,x\nB4,2026-01-01,z\n')
    world.write("accounts3.csv", "id,since,name\nC1,2026-01-01,x\nC2,,\n")
    result = world.load("accounts")
    assert (result.rows_read, result.rows_accepted, result.rows_rejected) == (7, 4, 3)
    assert world.rows("select account_id, _file, _line from raw_files.accounts order by 1") == [
        ("A1", "accounts1.csv", 2),
        ("B2", "accounts2.csv", 3),
        ("B4", "accounts2.csv", 6),
        ("C1", "accounts3.csv", 2),
    ]
    assert [row[:3] for row in world.rejected()] == [
        ("accounts2.csv", 2, None),
        ("accounts2.csv", 5, "created_on"),
        ("accounts3.csv", 3, "created_on"),
    ]
    read = "select path, rows_read, rows_accepted, rows_rejected from raw_meta.loaded_files order by path"
    assert world.rows(read) == [("accounts1.csv", 1, 1, 0), ("accounts2.csv", 4, 2, 2), ("accounts3.csv", 2, 1, 1)]


def test_a_line_longer_than_duckdb_takes(world: World) -> None:
    text = f'id,since,name\nA1,2026-01-01,{"x" * 3_000_000}\nA2,2026-01-01,y\nA3,2026-01-01,"{"z" * 3_000_000}"\n'
    assert load_named(world, text) == [("A2", "y", 3)]
    assert faults(world) == [(2, None, "is longer than 2,000,000 bytes"), (4, None, "is longer than 2,000,000 bytes")]


def test_lines_are_right_in_a_file_that_duckdb_reads_in_parts(world: World) -> None:
    """18 MB, so that both threads read; faults at known lines, then a quoted newline that moves all lines after it."""
    wrong = sorted(random.Random(5).sample(range(2, 40_002), 25))
    lines = [f"A{line},{'never' if line in wrong else '2026-01-01'},{'name ' * 90}" for line in range(2, 40_002)]
    load_named(world, "id,since,name\n" + "\n".join(lines) + "\n")
    assert [line for line, *_ in faults(world)] == wrong
    assert world.column("select count(*) from raw_files.accounts where account_id <> 'A' || _line") == [0]
    lines[20_000] = lines[20_000].replace("name ", '"na\nme"', 1).replace("name ", "")
    load_named(world, "id,since,name\n" + "\n".join(lines) + "\n")
    assert [line for line, *_ in faults(world)] == [line if line <= 20_002 else line + 1 for line in wrong]


def test_a_blank_line_before_the_header(world: World) -> None:
    assert load_named(world, "\n\nid,since,name\nA1,2026-01-01,x\n") == [("A1", "x", 4)]


def test_the_delimiter_is_found_or_given(world: World) -> None:
    assert load_named(world, 'id|since|"na,me"|name\nA1|2026-01-01|x|a,b;c\n') == [("A1", "a,b;c", 2)]
    assert load_named(world, "id~since~name\nA1~2026-01-01~a,b,c,d,e\n", delimiter="~") == [("A1", "a,b,c,d,e", 2)]


JSON_MAP = {"account_id": "id", "created_on": "since", "name": "name"}


def test_broken_json_lines(world: World) -> None:
    world.map("accounts", "a.jsonl", JSON_MAP)
    good = '{"id": "A1", "since": "2026-01-01"}'
    world.write(
        "a.jsonl",
        f'{good}\n{{"id": "A2", "since": \n\n[1, 2]\n"text"\n{{}}\n   \n{{"id": "A3", "since": "x"}}\n'.encode()
        + b'{"id": "A4\xff\xfe", "since": "2026-01-01"}\n'
        + f"{good} {good}\n{good.replace('A1', 'A5')}\n\n".encode(),
    )
    result = world.load("accounts")
    assert world.rows("select account_id, _line from raw_files.accounts order by 2") == [("A1", 1), ("A5", 11)]
    assert faults(world) == [
        (2, None, "is not valid JSON"),
        (4, None, "is not a JSON object"),
        (5, None, "is not a JSON object"),
        (6, "account_id", "is missing"),
        (8, "created_on", "is not a date"),
        (9, None, "has characters that are not UTF-8"),
        (10, None, "is not valid JSON"),
    ]
    assert (result.rows_read, result.rows_accepted) == (9, 2)
    assert result.rejected_by_reason == {
        "is not a JSON object": 2,
        "is not valid JSON": 2,
        "account_id is missing": 1,
        "created_on is not a date": 1,
        "has characters that are not UTF-8": 1,
    }


@pytest.mark.parametrize(
    "content",
    ['[\n{"id": "A1", "since": "2026-01-01"}\n]\n', "id,since\nA1,2026-01-01\n", '[{"id": "A1"}, {"id": "A2"}]'],
)
def test_a_file_that_is_no_json_lines_at_all(world: World, content: str) -> None:
    world.map("accounts", "a.jsonl", JSON_MAP)
    world.write("a.jsonl", content)
    if content.startswith("[\n"):  # its middle line is an object, so the two brackets are just broken lines
        assert world.load("accounts").rows_rejected == 2
        return
    with pytest.raises(
        SourceFileError, match=r"a.jsonl: no line of it is a JSON object \(line 1 is not .*\); JSON lines hold one"
    ):
        world.load("accounts")


def test_a_required_key_that_no_line_has(world: World) -> None:
    world.map("accounts", "a.jsonl", {"account_id": "acount.id", "created_on": "since"})
    world.write("a.jsonl", '{"account": {"id": "A1"}, "since": "2026-01-01"}\n')
    with pytest.raises(
        SourceFileError,
        match=r"a.jsonl: has no key 'acount.id' \(did you mean 'account.id'\?\); keys found: account, account.id, s",
    ):
        world.load("accounts")


def test_an_optional_key_that_no_line_has_is_a_warning(world: World) -> None:
    world.map("accounts", "a.jsonl", JSON_MAP)
    world.write("a.jsonl", '{"id": "A1", "since": "2026-01-01"}\n')
    assert world.load("accounts").warnings == (
        "a.jsonl: no 'name' in its first rows, so name is empty; keys found: id, since",
    )


def test_a_key_that_a_measure_needs_is_missed_with_its_measure(world: World) -> None:
    columns = {"ticket_id": "id", "account_id": "customer", "created_at": "at", "csat_rating": "stars"}
    world.map("tickets", "t.jsonl", columns)
    world.write("t.jsonl", '{"id": "T1", "customer": "A1", "at": "2026-01-01", "mood": {"now": "good"}}\n')
    found = world.load("tickets")
    assert found.warnings == (
        "t.jsonl: no 'stars' in its first rows, so csat_rating is empty; measures that need it: csat; keys found: at, "
        "customer, id, mood, mood.now",
    )
    assert found.unmapped == ("mood", "mood.now")


def test_columns_that_the_mapping_leaves_out_are_told(world: World) -> None:
    world.write("accounts.csv", "id,since,colour\nA1,2026-01-01,red\n")
    assert world.load("accounts").unmapped == ("colour",)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", ENTITIES)
def test_nothing_in_the_reading_may_change_the_order_of_rows(world: World, name: str, kind: str) -> None:
    """A row knows its line by its place. A join (DuckDB makes one of `in (...)`) once put the last line first."""
    entity = ENTITIES[name]
    mapped = {"column": "x", "values": {"a": "b"} | {str(number): "c" for number in range(9)}}
    mapping = FileEntity.model_validate({"files": "x.csv", "columns": dict.fromkeys(entity.columns, mapped)})
    nulls = () if kind == "csv" else tuple("abcdefgh")
    for clocks in (Clocks("UTC", "UTC"), Clocks("Europe/Berlin", "America/New_York")):
        plan = Plan(entity, mapping, {"x": Raw("x")}, clocks, nulls)
        select = plan.select(
            "(select range::varchar as x, 'b' as _path from range(9))", note_unreadable=kind == "jsonl"
        )
        explained = world.con.execute(f"explain create temp table t as {select}", plan.parameters.values).fetchall()
        assert "PROJECTION" in explained[0][1].upper()
        assert "JOIN" not in explained[0][1].upper()


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_stay_in_order_with_or_without_a_final_newline(world: World, kind: str, ends: bool) -> None:
    world.map(
        "engagement_events", f"*.{kind}", {"engagement_id": "e", "account_id": "a", "kind": "k", "occurred_at": "t"}
    )
    wanted = {"csv": range(2, 3002), "jsonl": range(1, 3001)}[kind]
    write = {
        "csv": lambda n: f"{n},A1,review,2026-01-01 10:00:00",
        "jsonl": lambda n: f'{{"e": {n}, "a": "A1", "k": "review", "t": "2026-01-01 10:00:00"}}',
    }[kind]
    for file in range(10):
        head = "e,a,k,t\n" if kind == "csv" else ""
        world.write(f"{file}.{kind}", head + "\n".join(write(number) for number in wanted) + ("\n" if ends else ""))
    world.load("engagement_events")
    wrong = "select count(*) from raw_files.engagement_events where engagement_id <> _line::varchar"
    assert world.column(wrong) == [0]


def test_rows_of_large_parquet_files_stay_in_order(world: World) -> None:
    world.map("usage_events", "*.parquet", {"event_id": "e", "account_id": "a", "occurred_at": "t"})
    for file in range(3):
        sql = "select range + 1 as e, 'A1' as a, '2026-01-01 10:00:00' as t from range(50000)"
        world.con.execute(f"copy ({sql}) to '{world.folder}/{file}.parquet' (format parquet, row_group_size 8192)")
    world.load("usage_events")
    assert world.column("select count(*) from raw_files.usage_events where event_id <> _line::varchar") == [0]
