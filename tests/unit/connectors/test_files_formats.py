"""Every format, compression, encoding and oddity of writing gives the same rows."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from conftest import LOADED_AT, World

from dagster_project.connectors import source_files
from dagster_project.connectors.files import SourceFileError, load_entity
from dagster_project.connectors.source_files import SourceFile, Survey, survey
from dagster_project.entities import ENTITIES, SQL_TYPES
from dagster_project.settings import load_settings

TICKETS = {
    "ticket_id": "id",
    "account_id": "account",
    "severity": "level",
    "created_at": "opened",
    "csat_rating": "stars",
}
WANTED = [
    ("T1", "A1", "urgent", datetime(2026, 1, 2, 9, 30), Decimal("4.5000")),
    ("T2", "A2", None, datetime(2026, 1, 3), None),
]
CSV = "id,account,level,opened,stars\nT1,A1,urgent,2026-01-02 09:30:00,4.5\nT2,A2,,2026-01-03 00:00:00,\n"
JSONL = (
    '{"id": "T1", "account": "A1", "level": "urgent", "opened": "2026-01-02T09:30:00", "stars": 4.5, "x": {"y": [1]}}\n'
    '{"id": "T2", "account": "A2", "level": null, "opened": "2026-01-03T00:00:00"}\n'
)


def tickets(world: World) -> list[tuple[object, ...]]:
    return world.rows(
        "select ticket_id, account_id, severity, created_at, csat_rating from raw_files.tickets order by _file, _line"
    )


def packed(content: str, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(content.encode())
    if ending == ".zst":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write(content.encode())
        return bytes(sink.getvalue())
    return content.encode()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize(("kind", "content", "first"), [("csv", CSV, 2), ("jsonl", JSONL, 1)])
def test_text_formats(world: World, kind: str, content: str, first: int, ending: str) -> None:
    world.map("tickets", "t/*", TICKETS, format=kind)
    world.write(f"t/x.{kind}{ending}", packed(content, ending))
    result = world.load("tickets")
    assert tickets(world) == WANTED
    assert (result.files_found, result.files_loaded, result.rows_accepted) == (1, 1, 2)
    origin = "select account_ref, _file, _line, _loaded_at from raw_files.tickets order by _line"
    assert world.rows(origin) == [
        (None, f"t/x.{kind}{ending}", first, LOADED_AT),
        (None, f"t/x.{kind}{ending}", first + 1, LOADED_AT),
    ]


def test_parquet_in_its_own_types(world: World) -> None:
    world.map("tickets", "*.parquet", TICKETS)
    write_parquet(
        world,
        "t.parquet",
        "select * from (values ('T1', 'A1', 'urgent', timestamp '2026-01-02 09:30:00', 4.5::double),"
        " ('T2', 'A2', null, timestamp '2026-01-03', null)) as t(id, account, level, opened, stars)",
    )
    world.load("tickets")
    assert tickets(world) == WANTED
    assert world.column("select _line from raw_files.tickets order by _line") == [1, 2]


def write_parquet(world: World, name: str, sql: str) -> Path:
    path = world.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    world.con.execute(f"copy ({sql}) to '{path}' (format parquet)")
    world.touch(path)
    return path


def test_parquet_types_that_tools_really_write(world: World) -> None:
    """Ids as floats (pandas with a gap), flags and categories as numbers, a zone in the time, a day as a time."""
    world.top["timezone"] = "America/New_York"
    world.map(
        "accounts",
        "*.parquet",
        {
            "account_id": "id",
            "created_on": "since",
            "seats": "seats",
            "arr": "arr",
            "has_unlimited_seats": "free",
            "segment": {"column": "class", "values": {"1": "small"}},
            "known_at": "seen",
        },
    )
    write_parquet(
        world,
        "accounts.parquet",
        "select 12.0::double as id, timestamp '2026-01-02' as since, 7.0::float as seats, 10::smallint as arr, "
        "1::tinyint as free, 1::integer as class, timestamptz '2026-01-02 03:00:00+00' as seen "
        "union all select 13.0, timestamp '2026-01-03', 7.5, 11, 0, 2, timestamptz '2026-07-02 03:00:00+00'",
    )
    world.load("accounts")
    assert world.rows(
        "select account_id, created_on, seats, arr, has_unlimited_seats, segment, known_at from raw_files.accounts"
    ) == [("12", date(2026, 1, 2), 7, Decimal("10.0000"), True, "small", datetime(2026, 1, 1, 22, 0))]
    assert world.rejected() == [("accounts.parquet", 2, "seats", "is not a whole number", "7.5")]


def test_parquet_nan_is_what_its_text_is_and_infinity_is_no_number(world: World) -> None:
    columns = {"account_id": "id", "created_on": "since", "arr": "arr"}
    sql = (
        "select * from (values ('A1', date '2026-01-01', 'nan'::double), ('A2', date '2026-01-01', 'inf'::double), "
        "('A3', date '9999-12-31', 1::double)) as t(id, since, arr)"
    )
    world.map("accounts", "*.parquet", columns)
    write_parquet(world, "a.parquet", sql)
    world.load("accounts")
    assert world.rows("select account_id, arr from raw_files.accounts") == [("A1", None)]
    assert world.rejected() == [
        ("a.parquet", 2, "arr", "is not a number", "inf"),
        ("a.parquet", 3, "created_on", "is outside 1970-01-01 to 2200-01-01", "9999-12-31"),
    ]
    world.map("accounts", "*.parquet", columns, nulls=["-"])
    world.load("accounts")
    assert world.rejected()[0] == ("a.parquet", 1, "arr", "is not a number", "nan")


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "timestamp_ns", "date"])
def test_parquet_times_beyond_all_calendars(world: World, kind: str) -> None:
    """Stand-ins for "never" are told as such; they must not stop the file, whatever the time zones."""
    world.top["timezone"] = "America/New_York"
    world.source["timezone"] = "Asia/Tokyo"
    world.map("accounts", "*.parquet", {"account_id": "id", "created_on": "since", "known_at": "seen"})
    far = "2262-04-11 00:00:00" if kind == "timestamp_ns" else "9999-12-31 23:59:59"
    cells = [f"{kind} '{far}'", f"{kind} '1677-09-22'", f"null::{kind}", f"{kind} '2026-07-01 00:00:00'"]
    if kind in ("timestamp", "timestamptz"):
        cells.append(f"{kind} '290000-01-01'")
    rows = ", ".join(f"('A{number}', date '2026-01-01', {cell})" for number, cell in enumerate(cells))
    write_parquet(world, "a.parquet", f"select * from (values {rows}) as t(id, since, seen)")
    world.load("accounts")
    shifted = {"timestamp": datetime(2026, 6, 30, 11), "timestamp_ns": datetime(2026, 6, 30, 11)}
    wanted = shifted.get(kind, datetime(2026, 7, 1))
    with_zone = world.con.execute("select timezone('America/New_York', timestamptz '2026-07-01 00:00:00')").fetchone()
    assert with_zone is not None
    wanted = with_zone[0] if kind == "timestamptz" else wanted
    assert world.rows("select account_id, known_at from raw_files.accounts order by 1") == [
        ("A2", datetime(2026, 1, 1)),
        ("A3", wanted),
    ]
    assert {row[3] for row in world.rejected()} == {"is outside 1970-01-01 to 2200-01-01"}


def test_files_of_several_shapes_in_one_glob(world: World) -> None:
    """Another order of columns, another delimiter, more columns, another compression: each is read by its own."""
    world.map("tickets", ["t/*.csv", "t/*.csv.gz", "t/*.tsv"], TICKETS)
    world.write("t/1.csv", CSV)
    world.write("t/2.csv", "stars;extra;opened;level;account;id\n3;x;2026-02-01;low;A3;T3\n")
    world.write("t/3.csv.gz", gzip.compress(b"id,account,level,opened,stars,\nT4,A4,low,2026-02-02,1,\n"))
    world.write("t/4.tsv", "id\taccount\tlevel\topened\tstars\nT5\tA,5\tlow\t2026-02-03\t2\n")
    result = world.load("tickets")
    assert result.files_loaded == 4
    assert [row[:2] for row in tickets(world)] == [
        ("T1", "A1"),
        ("T2", "A2"),
        ("T3", "A3"),
        ("T4", "A4"),
        ("T5", "A,5"),
    ]


def test_many_files_keep_their_own_lines(world: World) -> None:
    """300 files of different sizes in one read: each row knows its file and its line."""
    world.map("usage_events", "u/**/*.csv", {"account_id": "a", "event_id": "e", "occurred_at": "t"})
    for number in range(300):
        rows = "".join(f"A1,{number}-{line},2026-01-01\n" for line in range(2, 2 + number % 7))
        world.write(f"u/day={number % 5}/{number:03}.csv", "a,e,t\n" + rows)
    result = world.load("usage_events")
    assert result.files_loaded == 300
    assert result.rows_accepted == sum(number % 7 for number in range(300))
    own = "regexp_extract(_file, '([0-9]+).csv', 1)::int || '-' || _line"
    wrong = f"select count(*) from raw_files.usage_events where event_id <> {own}"
    assert world.column(wrong) == [0]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_names_that_duckdb_would_read_as_patterns(world: World, kind: str) -> None:
    world.map("accounts", f"*.{kind}", {"account_id": "id", "created_on": "since"})
    write_table(world, f"a[1]*?.{kind}", kind, "A1")
    write_table(world, f"a1xx.{kind}", kind, "A2")
    world.load("accounts")
    assert world.rows("select account_id, _file from raw_files.accounts order by 1") == [
        ("A1", f"a[1]*?.{kind}"),
        ("A2", f"a1xx.{kind}"),
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_column_is_not_taken_from_the_folder_names(world: World, kind: str) -> None:
    """Hive-style folders would overrule the file's own column of that name."""
    world.map("accounts", f"**/*.{kind}", {"account_id": "id", "created_on": "since"})
    write_table(world, f"id=X/a.{kind}", kind, "A1")
    world.load("accounts")
    assert world.column("select account_id from raw_files.accounts") == ["A1"]


def write_table(world: World, name: str, kind: str, account: str) -> None:
    """One account in any format."""
    if kind == "parquet":
        written = write_parquet(world, "plain.parquet", f"select '{account}' as id, date '2026-01-01' as since")
        (world.folder / name).parent.mkdir(exist_ok=True)
        written.rename(world.folder / name)
    elif kind == "csv":
        world.write(name, f"id,since\n{account},2026-01-01\n")
    else:
        world.write(name, f'{{"id": "{account}", "since": "2026-01-01"}}\n')


def test_a_line_end_that_two_reads_share(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is surveyed in pieces; a carriage return may be the last byte of one."""
    path = world.write("accounts.csv", "id,since\nA1,2026-01-01\nA2,2026-01-01\n\n", newline="\r\n")
    file = SourceFile(path, "accounts.csv", "csv", "none", path.stat().st_size, 0)
    for size in range(1, 30):
        monkeypatch.setattr(source_files, "CHUNK", size)
        assert survey(file) == Survey(lines=3, newline="crlf", is_utf8=True, has_bom=False)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ends", [True, False])
def test_line_ends(world: World, newline: str, ends: bool) -> None:
    text = "id,since\nA1,2026-01-01\nA2,nonsense\nA3,2026-01-03" + ("\n" if ends else "")
    world.write("accounts.csv", text, newline=newline)
    world.load("accounts")
    assert world.rows("select account_id, _line from raw_files.accounts order by 2") == [("A1", 2), ("A3", 4)]
    assert [row[:3] for row in world.rejected()] == [("accounts.csv", 3, "created_on")]


def test_mixed_line_ends(world: World) -> None:
    world.write("accounts.csv", b"id,since\r\nA1,2026-01-01\nA2,2026-01-02\r\nA\r3,2026-01-03\n")
    world.load("accounts")
    assert world.rows("select account_id, _line from raw_files.accounts order by 2") == [
        ("A1", 2),
        ("A2", 3),
        ("A\r3", 4),
    ]


@pytest.mark.parametrize("name", ["accounts.csv", "accounts.jsonl"])
def test_byte_order_mark(world: World, name: str) -> None:
    world.map("accounts", name, {"account_id": "id", "created_on": "since"})
    body = "id,since\nÄ1,2026-01-01\n" if name.endswith("csv") else '{"id": "Ä1", "since": "2026-01-01"}\n'
    world.write(name, b"\xef\xbb\xbf" + body.encode())
    world.load("accounts")
    assert world.column("select account_id from raw_files.accounts") == ["Ä1"]


LATIN = "id,since,name\nA1,2026-01-01,Café Zürich\nA2,2026-01-02,Plain\n"


def test_latin1_without_the_setting_is_refused_with_the_setting_named(world: World) -> None:
    world.write("accounts.csv", LATIN.encode("latin-1"))
    with pytest.raises(
        SourceFileError, match=r"^accounts.csv: is not UTF-8, it looks like Latin-1; add `encoding: latin-1`"
    ):
        world.load("accounts")
    assert world.rows("select * from raw_files.accounts") == []


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_encodings_that_the_config_names(world: World, encoding: str) -> None:
    columns = {"account_id": "id", "created_on": "since", "name": "name"}
    world.map("accounts", "accounts.csv", columns, encoding=encoding)
    world.write("accounts.csv", LATIN.encode(encoding))
    world.load("accounts")
    assert world.column("select name from raw_files.accounts order by _line") == ["Café Zürich", "Plain"]


def test_compressed_latin1(world: World) -> None:
    columns = {"account_id": "id", "created_on": "since", "name": "name"}
    world.map("accounts", "accounts.csv.gz", columns, encoding="latin-1")
    world.write("accounts.csv.gz", gzip.compress(LATIN.encode("latin-1")))
    world.load("accounts")
    assert world.column("select name from raw_files.accounts order by _line") == ["Café Zürich", "Plain"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_without_the_setting(world: World, encoding: str) -> None:
    world.write("accounts.csv", LATIN.encode(encoding))
    with pytest.raises(
        SourceFileError, match=r"accounts.csv: is not UTF-8, it looks like UTF-16; add `encoding: utf-16`"
    ):
        world.load("accounts")


def test_wrong_encoding_setting(world: World) -> None:
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since"}, encoding="utf-16")
    world.write("accounts.csv", "id,since\nA1,2026-01-01\n\n")
    with pytest.raises(SourceFileError, match=r"accounts.csv: is not utf-16 as the config says"):
        world.load("accounts")


def test_a_few_damaged_bytes_cost_their_rows_only(world: World) -> None:
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since", "name": "name"})
    world.write(
        "accounts.csv",
        "id,since,name\nA1,2026-01-01,Zürich\n".encode() + b"A2,2026-01-02,x\xff\xfey\nA3,2026-01-03,z\n",
    )
    world.load("accounts")
    assert world.column("select account_id from raw_files.accounts order by 1") == ["A1", "A3"]
    assert world.rejected() == [("accounts.csv", 3, None, "has characters that are not UTF-8", None)]


def test_a_latin1_row_in_a_utf8_file_costs_that_row_only(world: World) -> None:
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since", "name": "name"})
    world.write("accounts.csv", "id,since,name\nA1,2026-01-01,Café\n".encode() + b"A2,2026-01-02,Caf\xe9\n")
    world.load("accounts")
    assert world.column("select name from raw_files.accounts") == ["Café"]
    assert world.rejected() == [("accounts.csv", 3, None, "has characters that are not UTF-8", None)]


def test_header_names_with_blanks_quotes_and_gaps(world: World) -> None:
    world.map("accounts", "accounts.csv", {"account_id": 'the "id"', "created_on": "since"})
    world.write("accounts.csv", '" the ""id"" ", since ,,,"over\ntwo lines"\nA1,2026-01-01,x,y,z\nA2,no,x,y,z\n')
    world.load("accounts")
    assert world.rows("select account_id, _line from raw_files.accounts") == [("A1", 3)]
    assert world.rejected()[0][:2] == ("accounts.csv", 4)


def test_text_that_a_spreadsheet_would_run_is_just_text(world: World) -> None:
    world.map("accounts", "accounts.csv", {"account_id": "id", "created_on": "since", "name": "name"})
    world.write("accounts.csv", 'id,since,name\n#A1,2026-01-01,"=1+1"\n@A2,2026-01-01,\'; drop table x; --\n')
    world.load("accounts")
    assert world.rows("select account_id, name from raw_files.accounts order by _line") == [
        ("#A1", "=1+1"),
        ("@A2", "'; drop table x; --"),
    ]


def test_jsonl_numbers_nested_keys_and_what_is_not_mapped(world: World) -> None:
    columns = {
        "account_id": "id",
        "created_on": "life.since",
        "arr": "arr",
        "seats": "seats",
        "name": "a.b",
        "is_churned": "gone",
    }
    world.map("accounts", "*.jsonl", columns)
    world.write(
        "a.jsonl",
        '{"id": 7, "life": {"since": "2026-01-01"}, "arr": 1e3, "seats": 2.0, "a.b": "dotted", "gone": false, "x": 1}\n'
        '{"id": "8", "life": {"since": "2026-01-02", "x": 1}, "arr": "12.50", "a": {"b": "nested"}, "gone": "yes"}\n'
        '{"id": "9", "life": 5}\n',
    )
    world.load("accounts")
    assert world.rows(
        "select account_id, created_on, arr, seats, name, is_churned from raw_files.accounts order by 1"
    ) == [
        ("7", date(2026, 1, 1), Decimal("1000.0000"), 2, "dotted", False),
        ("8", date(2026, 1, 2), Decimal("12.5000"), None, "nested", True),
    ]
    assert world.rejected() == [("a.jsonl", 3, "created_on", "is missing", None)]


def test_prepare_makes_a_table_for_every_entity(world: World) -> None:
    for entity in ENTITIES.values():
        found = world.rows(f"select column_name, column_type from (describe raw_files.{entity.name})")
        wanted = [(name, SQL_TYPES[column.type]) for name, column in entity.columns.items()]
        assert [(name, kind.lower().replace(",", ", ")) for name, kind in found[: len(wanted)]] == wanted
        assert [name for name, _ in found[len(wanted) :]] == ["account_ref", "_file", "_file_id", "_line", "_loaded_at"]


def test_prepare_adds_a_column_that_the_contract_gained(world: World) -> None:
    from dagster_project.connectors.files import prepare

    world.con.execute("alter table raw_files.accounts drop column notice_days")
    prepare(world.con)
    world.write("accounts.csv", "id,since\nA1,2026-01-01\n")
    world.load("accounts")
    assert world.rows("select account_id, notice_days from raw_files.accounts") == [("A1", None)]


def test_an_entity_that_is_not_mapped_loads_nothing(world: World) -> None:
    result = world.load("tickets")
    assert (result.files_found, result.rows_read) == (0, 0)


def test_works_on_a_warehouse_file_and_leaves_no_scratch(world: World, tmp_path: Path) -> None:
    from dagster_project.connectors.files import prepare

    world.write("accounts.csv", 'id,since\n"A\n1",2026-01-01\nA2,no\n')
    world.load("accounts")
    home = tmp_path / "home"
    home.mkdir()
    settings = load_settings(tmp_path / "pipeline.yml", {})
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        prepare(con)
        load_entity(con, settings, "accounts", LOADED_AT)
        con.execute("checkpoint")
    assert sorted(path.name for path in home.iterdir()) == ["warehouse.duckdb"]


SNOWPLOW = (
    'app\tweb\t2026-01-02 09:30:00\tE1\tU1\t"No" is an answer\n'
    'app\tweb\t2026-01-02 09:31:00\tE2\t\tan "inch\n'
    'app\tmob\t2026-01-02 09:32:00\tE3\tU2\t{"a": "b"}\n'
)  # as its enriched events are: tabs, no header, no quoting
PLACES = {"event_id": 4, "user_id": "5", "event_name": 6, "occurred_at": 3, "account_id": {"value": "A1"}}
EVENTS = [
    ("E1", "U1", '"No" is an answer', datetime(2026, 1, 2, 9, 30), 1),
    ("E2", None, 'an "inch', datetime(2026, 1, 2, 9, 31), 2),
    ("E3", "U2", '{"a": "b"}', datetime(2026, 1, 2, 9, 32), 3),
]


def events(world: World) -> list[tuple[object, ...]]:
    return world.rows(
        "select event_id, user_id, event_name, occurred_at, _line from raw_files.usage_events order by _line"
    )


def headless(world: World, content: str, **more: object) -> None:
    world.map("usage_events", "e/*", PLACES, **{"format": "csv", "header": False, "quotes": False} | more)
    world.write("e/part-0000.gz", packed(content, ".gz"))


def test_columns_without_names_go_by_their_place(world: World) -> None:
    headless(world, SNOWPLOW, delimiter="\t")
    assert world.load("usage_events").rows_rejected == 0
    assert events(world) == EVENTS


def test_a_line_without_a_header_that_has_other_places_is_set_aside_alone(world: World) -> None:
    headless(world, SNOWPLOW + 'app\tweb\t"\n\napp\tweb\t2026-01-02 09:33:00\tE4\tU1\tx\n')
    assert world.load("usage_events").rows_rejected == 1
    assert events(world) == [*EVENTS, ("E4", "U1", "x", datetime(2026, 1, 2, 9, 33), 6)]
    assert world.rejected() == [("e/part-0000.gz", 4, None, "has 3 values where the first row has 6", None)]


def test_values_in_quotes_without_a_header(world: World) -> None:
    headless(world, 'a,b,2026-01-02,E1,U1,"x, ""y"""\n', quotes=True)
    world.load("usage_events")
    assert events(world) == [("E1", "U1", 'x, "y"', datetime(2026, 1, 2), 1)]


def test_a_place_that_the_file_does_not_have_is_told(world: World) -> None:
    headless(world, "a\tb\t2026-01-02\tE1\tU1\n")
    with pytest.raises(SourceFileError, match=r"has no column '6'.*columns found: 1, 2, 3, 4, 5"):
        world.load("usage_events")
