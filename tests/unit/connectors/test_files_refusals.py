"""Files that cannot be read at all: one plain sentence, and the tables stay as they were."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import dagster as dg
import pytest
from conftest import World

from dagster_project.components.file_assets import file_assets
from dagster_project.connectors import files as connector
from dagster_project.connectors.files import SourceFileError
from dagster_project.connectors.readers import Incoming
from dagster_project.connectors.staging import Stage, Staged
from dagster_project.settings import load_settings

GOOD = "id,since\nA1,2026-01-01\n"


def truncated_gzip() -> bytes:
    content = gzip.compress("".join(f"A{n},2026-01-01,{zlib.crc32(b'%d' % n)}\n" for n in range(5000)).encode())
    return content[: len(content) // 2]


BAD_FILES: dict[str, tuple[str, bytes | str, str]] = {
    "empty": ("accounts2.csv", "", r"accounts2.csv: is empty \(0 bytes\); send the file again, or remove it"),
    "only blank lines": ("accounts2.csv", "\n \n\n", r"accounts2.csv: has no header, only blank lines"),
    "no content in the archive": ("accounts2.csv.gz", gzip.compress(b""), r"accounts2.csv.gz: has no header"),
    "cut off": (
        "accounts2.csv.gz",
        truncated_gzip(),
        r"accounts2.csv.gz: is a damaged gzip file \(.*\); send the file again",
    ),
    "not gzip": ("accounts2.csv.gz", GOOD, r"accounts2.csv.gz: ends in .gz but is not a gzip file"),
    "not zstd": ("accounts2.csv.zst", GOOD, r"accounts2.csv.zst: ends in .zst but is not a zstd file"),
    "damaged zstd": (
        "accounts2.csv.zst",
        b"\x28\xb5\x2f\xfd" + b"rubbish" * 9,
        r"accounts2.csv.zst: is a damaged zstd file",
    ),
    "no Parquet": ("accounts2.parquet", GOOD, r"accounts2.parquet: is a damaged Parquet file, or none at all"),
    "packed Parquet": ("accounts2.parquet", gzip.compress(b"PAR1"), r"accounts2.parquet: is a gzip file, not Parquet"),
    "missing column": (
        "accounts2.csv",
        "ID,sinec,\nA9,2026-01-01,\n",
        r"accounts2.csv: has no column 'id' \(did you mean 'ID'\?\); has no column 'since' \(did you mean 'sinec'\?\); "
        r"columns found: ID, sinec, \(no name\); correct the mapping or the file",
    ),
    "column twice": ("accounts2.csv", "id,since,id\nA9,2026-01-01,A9\n", r"has the column 'id' twice"),
    "header quote": ("accounts2.csv", '"id,since\nA9,2026-01-01\n', r"accounts2.csv: the header, line 1, has a quote"),
    "header encoding": (
        "accounts2.csv",
        b"id,since,\xff\xfe\nA9,2026-01-01,x\n",
        r"accounts2.csv: the header is not UTF-8",
    ),
    "binary": ("accounts2.csv", b"\x00\x01\x02\x03" * 50, r"accounts2.csv: is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_read_fails_the_entity_and_changes_nothing(world: World, case: str) -> None:
    name, content, sentence = BAD_FILES[case]
    world.map("accounts", ["accounts*.csv", "accounts*.gz", "accounts*.zst", "accounts*.parquet"], connector_columns())
    world.entities["accounts"].pop("format", None)
    world.entities["accounts"]["files"] = [
        "accounts*.csv",
        "accounts*.csv.gz",
        "accounts*.csv.zst",
        "accounts*.parquet",
    ]
    world.write("accounts1.csv", GOOD)
    world.load("accounts")
    before = world.everything("accounts")
    world.write("accounts0.csv", "id,since\nA0,2026-01-01\nA0,nonsense\n")
    world.write("accounts1.csv", GOOD + "A2,2026-01-01\n")
    world.write(name, content)
    with pytest.raises(SourceFileError, match=sentence):
        world.load("accounts")
    assert world.everything("accounts") == before
    assert world.temporary() == []
    (world.folder / name).unlink()
    assert world.load("accounts").files_loaded == 2


def connector_columns() -> dict[str, str]:
    return {"account_id": "id", "created_on": "since"}


def test_header_only_is_fine(world: World) -> None:
    world.write("accounts.csv", "id,since\n")
    result = world.load("accounts")
    assert (result.files_loaded, result.rows_read) == (1, 0)
    assert result.warnings == ("accounts.csv: holds no rows",)
    assert world.load("accounts").files_unchanged == 1


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"")])
def test_json_lines_without_a_line_are_fine(world: World, content: bytes) -> None:
    world.map("accounts", "a.jsonl*", {"account_id": "id", "created_on": "since"}, format="jsonl")
    world.write("a.jsonl" + (".gz" if content.startswith(b"\x1f") else ""), content)
    assert (world.load("accounts").files_loaded, world.rows("from raw_files.accounts")) == (1, [])


def test_a_parquet_column_that_is_not_there(world: World) -> None:
    world.map("accounts", "*.parquet", {"account_id": "id", "created_on": "since"})
    world.con.execute(f"copy (select 1 as id, 2 as sinces) to '{world.folder}/a.parquet'")
    with pytest.raises(SourceFileError, match=r"a.parquet: has no column 'since' \(did you mean 'sinces'\?\)"):
        world.load("accounts")


def test_damage_inside_a_parquet_file(world: World) -> None:
    world.map("accounts", "*.parquet", {"account_id": "id", "created_on": "since"})
    world.con.execute(
        f"copy (select 'A' || range as id, date '2026-01-01' as since from range(20000)) to '{world.folder}/a.parquet'"
    )
    content = bytearray((world.folder / "a.parquet").read_bytes())
    content[100:4000] = b"\xff" * 3900
    world.write("a.parquet", bytes(content))
    with pytest.raises(SourceFileError, match=r"^a.parquet: cannot be read \(.*\); send the file again"):
        world.load("accounts")
    assert world.rows("from raw_files.accounts") == []


def test_no_folder(world: World) -> None:
    world.folder.rmdir()
    with pytest.raises(SourceFileError, match=r"landing: there is no such folder; set sources.files.folder"):
        world.load("accounts")


def test_no_file_is_an_error_for_accounts_and_a_warning_for_others(world: World) -> None:
    with pytest.raises(
        SourceFileError, match=r"accounts: no file matches accounts\*.csv in .*landing; correct `files:`"
    ):
        world.load("accounts")
    world.map("tickets", "t/*.csv", {"ticket_id": "id", "account_id": "a", "created_at": "at"})
    result = world.load("tickets")
    assert result.files_found == 0
    assert result.warnings == (f"no file matches t/*.csv in {world.folder}",)


def test_a_file_that_changes_while_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.write("accounts.csv", GOOD)
    original = Stage.read

    def read_slowly(stage: Stage, batch: list[Incoming]) -> Staged:
        staged = original(stage, batch)
        path.write_text(GOOD + "A2,2026-01-01\n")
        return staged

    monkeypatch.setattr(Stage, "read", read_slowly)
    with pytest.raises(SourceFileError, match=r"accounts.csv: changed while it was being read; run again"):
        world.load("accounts")
    assert world.rows("from raw_files.accounts") == []


@pytest.mark.parametrize("step", ["_store", "_refuse_moving"])
def test_a_crash_in_the_middle_leaves_nothing_half_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world.write("accounts1.csv", GOOD)
    world.load("accounts")
    before = world.everything("accounts")
    world.write("accounts1.csv", "id,since\nA1,2026-01-02\nA1,2026-01-02\n")
    world.write("accounts2.csv", "since,id\n2026-01-01,B1\n")
    original: Callable[..., object] = getattr(connector, step)
    calls = 0

    def break_later(*args: object) -> object:
        nonlocal calls
        calls += 1
        if step == "_refuse_moving" or calls == 2:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(connector, step, break_later)
    with pytest.raises(KeyboardInterrupt):
        world.load("accounts")
    assert world.everything("accounts") == before
    assert world.temporary() == []
    monkeypatch.undo()
    assert world.load("accounts").files_loaded == 2


def test_a_batch_that_duckdb_gives_up_on_is_sieved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The survey sees what DuckDB cannot take; should it ever miss something, the files are read the careful way."""
    from dagster_project.connectors import staging

    monkeypatch.setattr(staging, "must_be_sieved", lambda _: False)
    world.write("accounts1.csv", b"id,since\nA1,2026-01-01\nA\r2,2026-01-02\nA3,2026-01-03\n")
    world.write("accounts2.csv", "id,since\nB1,2026-01-01\n")
    world.load("accounts")
    assert world.rows("select account_id, _line from raw_files.accounts order by 1") == [
        ("A\r2", 3),
        ("A1", 2),
        ("A3", 4),
        ("B1", 2),
    ]


def test_a_lost_column_is_told_with_the_measures_that_need_it(world: World) -> None:
    columns = {"ticket_id": "id", "account_id": "customer", "created_at": "at", "csat_rating": "stars", "status": "st"}
    world.map("tickets", "tickets.csv", columns)
    world.write("tickets.csv", "id,customer,at,state\nT1,A1,2026-01-01,open\n")
    with pytest.raises(SourceFileError) as raised:
        world.load("tickets")
    assert raised.value.missing == ("stars", "st")
    settings = load_settings(world.folder.parent / "pipeline.yml", {})
    (asset,) = [one for one in file_assets(settings) if one.key.path[-1] == "tickets"]
    result = dg.materialize([asset], raise_on_error=False)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert str(failure.user_failure_data.description).endswith(
        "correct the mapping or the file; measures that need it: csat"
    )
