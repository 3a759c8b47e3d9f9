"""Exports: what a spreadsheet, a CSV reader and a Parquet reader get from the published mart."""

import csv
import stat
from pathlib import Path

import duckdb
import pytest

from dagster_project.destinations import exports
from dagster_project.destinations.exports import ExportError, WrittenFile, write_export
from dagster_project.destinations.mart import publish_mart
from tests.marts_fixture import NASTY_NAMES, build_warehouse
from tests.patching import patch_within

# A text, and what a CSV cell must hold instead.
GUARDED = {
    "=1+1": "'=1+1",
    "+49 30 1234": "'+49 30 1234",
    "-5": "'-5",
    "@SUM(A1)": "'@SUM(A1)",
    "\tx": "'\tx",
    "\rx": "'\rx",
    "\nx": "'\nx",
    "\t=1": "'\t=1",
    "   =1": "'   =1",
    "\u00a0=1": "'\u00a0=1",
    "\u3000=1": "'\u3000=1",
    "\u200b=1": "'\u200b=1",
    "\ufeff=1": "'\ufeff=1",
    "\u202e=1": "'\u202e=1",
    '"=1': "'\"=1",
    "'=1": "''=1",
    '" =1': "'\" =1",
    "＝1": "'＝1",
    "＋1": "'＋1",
    "－1": "'－1",
    "＠x": "'＠x",
    "−1": "'−1",
    "name;=1": "name;'=1",
    "name\n=1": "name\n'=1",
    'name;"=1': "name;'\"=1",
}
HARMLESS = [
    "",
    "plain",
    "a=1",
    "a-b",
    "a, -b",
    "1-2",
    "O'Neil",
    '"quoted"',
    "x;y",
    "two\nlines",
    "ünï 🦊",
    "<b>",
    " lead",
]


def make_mart(tmp_path: Path, select: str) -> Path:
    """A published mart whose table `t` is what the select gives."""
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as con:
        con.execute("create schema marts")
        con.execute(f"create table marts.t as {select}")
    return publish_mart(warehouse, tmp_path / "published").path


def read_csv(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mart")
    return publish_mart(build_warehouse(folder / "warehouse.duckdb", accounts=20, days=3), folder / "published").path


def test_text_a_spreadsheet_would_run_is_made_harmless_and_other_text_is_not_touched(tmp_path: Path) -> None:
    texts = [*GUARDED, *HARMLESS]
    values = ", ".join(f"({number}, {exports.literal(text)})" for number, text in enumerate(texts))
    mart = make_mart(tmp_path, f"select * from (values {values}) as v (day, words)")
    write_export(mart, tmp_path, "out", "t", ["csv"])
    cells = [row[1] for row in read_csv(tmp_path / "out.csv")[1:]]
    assert dict(zip(texts, cells, strict=True)) == {**GUARDED, **{text: text for text in HARMLESS}}


def test_numbers_dates_and_booleans_are_as_they_are_and_null_is_not_empty_text(tmp_path: Path) -> None:
    mart = make_mart(
        tmp_path,
        "select -5 as i, -1.50::decimal(18, 4) as d, -0.25::double as f, date '2026-06-30' as day, true as b, "
        "timestamp '2026-06-30 01:02:03' as t, null::varchar as nothing, '' as empty, "
        "['=1', 'b'] as texts, {'a': '=1'} as fields, '=x'::enum('=x') as choice",
    )
    write_export(mart, tmp_path, "out", "t", ["csv"])
    header, values = (tmp_path / "out.csv").read_bytes().decode().split("\r\n")[:2]
    assert header == "i,d,f,day,b,t,nothing,empty,texts,fields,choice"
    assert values.startswith('-5,-1.5000,-0.25,2026-06-30,true,2026-06-30 01:02:03,,"",')
    assert values.endswith(",'=x")


def test_csv_is_utf8_with_a_header_and_rfc_4180_lines(mart: Path, tmp_path: Path) -> None:
    (written,) = write_export(mart, tmp_path, "health", "current_health", ["csv"])
    raw = written.path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    rows = read_csv(written.path)
    assert rows[0][:4] == ["account_id", "account_name", "day", "score"]
    assert len(rows) == written.rows + 1 == 22
    assert {len(row) for row in rows} == {len(rows[0])}
    names = {row[1] for row in rows[1:]}
    assert "'=cmd|' /C calc'!A0" in names
    assert "'; drop table marts.current_health;' --" in names
    assert {name for name in NASTY_NAMES if not name.startswith(("=", "';"))} <= names


def test_parquet_holds_the_mart_untouched_in_the_same_order(mart: Path, tmp_path: Path) -> None:
    (written,) = write_export(mart, tmp_path, "health", "current_health", ["parquet"])
    with duckdb.connect(str(mart), read_only=True) as con:
        expected = con.execute("select * from marts.current_health").fetchall()
    assert duckdb.execute(f"select * from '{written.path}'").fetchall() == expected
    assert written == WrittenFile(tmp_path / "health.parquet", 21)


def test_columns_are_picked_and_ordered(mart: Path, tmp_path: Path) -> None:
    files = write_export(mart, tmp_path, "few", "current_health", ["csv", "parquet"], ["score", "account_id"])
    assert [file.path.name for file in files] == ["few.csv", "few.parquet"]
    assert read_csv(files[0].path)[0] == ["score", "account_id"]
    assert [c[0] for c in duckdb.execute(f"select * from '{files[1].path}'").description] == ["score", "account_id"]


def test_an_export_is_replaced_whole_and_readable_by_the_group_only(
    mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "exports"
    write_export(mart, folder, "health", "dim_accounts", ["csv"])
    file = folder / "health.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    before = file.read_bytes()
    (folder / ".health.csv.killed.part").write_text("half")

    def fail(descriptor: int) -> None:
        raise OSError("No space left on device")

    patch_within(monkeypatch, exports, "os", fsync=fail)
    with pytest.raises(OSError, match="No space left"):
        write_export(mart, folder, "health", "current_health", ["csv"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"health.csv": before}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"table": "current_heath"}, r"'current_heath' is not a legal table of mart.duckdb; "
                                     r"did you mean 'current_health'\? legal: current_health, dim_accounts, "),
        ({"table": "_published"}, "not a legal table"),
        ({"columns": ["account_id", "scor"]}, r"'scor' is not a legal column .*; did you mean 'score'\?"),
        ({"columns": ["1; drop table x"]}, r"not a legal column of current_health; legal: account_id, account_name"),
        ({"formats": ["pdf"]}, "'pdf' is not a legal export format; legal: csv, parquet"),
        ({"name": "../../etc/passwd"}, "not a legal export name"),
        ({"name": ".hidden"}, "not a legal export name"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_refused_with_the_legal_ones(
    mart: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    asked: dict[str, object] = {"name": "out", "table": "current_health", "formats": ["csv"], "columns": None}
    with pytest.raises(ExportError, match=says):
        write_export(mart, tmp_path, **{**asked, **change})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_mart_that_is_missing_or_no_database_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no published mart to export from; run the pipeline first"):
        write_export(tmp_path / "mart.duckdb", tmp_path, "out", "t", ["csv"])
    (tmp_path / "mart.duckdb").write_bytes(b"something else entirely" * 500)
    with pytest.raises(ExportError, match=r"export 'out' of t: .*not a valid DuckDB"):
        write_export(tmp_path / "mart.duckdb", tmp_path, "out", "t", ["csv"])
