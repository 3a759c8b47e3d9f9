"""A warehouse that is mostly free space becomes small; whatever goes wrong, it stays whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import compaction
from dagster_project.compaction import CompactionError, compact
from dagster_project.settings import Settings, load_settings
from tests.patching import patch_within

CONTENT = (
    "select * from kept.numbers order by all",
    "select * from kept.seen",
    "select comment from duckdb_tables() where table_name = 'numbers'",
    "select constraint_text from duckdb_constraints() order by all",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A company whose warehouse has a table, a view of it, a key and a comment, and 20 MB that were dropped."""
    made = load_settings(environ={}).model_copy(update={"home": tmp_path})
    with duckdb.connect(str(made.warehouse_path)) as con:
        con.execute("create schema kept")
        con.execute("create table kept.big as select hash(range) as number, random() as noise from range(1500000)")
        con.execute("create table kept.numbers (number bigint primary key, name varchar not null)")
        con.execute("insert into kept.numbers select range, 'n' || range from range(1000)")
        con.execute("comment on table kept.numbers is 'Grain: number.'")
        con.execute('create view kept.seen as select count(*) as n from "warehouse".kept.numbers')
        con.execute("checkpoint")
        con.execute("drop table kept.big")
    return made


def content(settings: Settings) -> list[list[tuple[Any, ...]]]:
    with duckdb.connect(str(settings.warehouse_path)) as con:
        return [con.execute(query).fetchall() for query in CONTENT]


def test_free_space_goes_and_everything_else_stays(settings: Settings) -> None:
    before = content(settings)
    done = compact(settings, small=0)
    assert done is not None
    assert done.after < done.before / 4
    assert settings.warehouse_path.stat().st_size == done.after
    assert content(settings) == before
    with duckdb.connect(str(settings.warehouse_path)) as con, pytest.raises(duckdb.ConstraintException):
        con.execute("insert into kept.numbers values (1, 'again')")
    assert compact(settings, small=0) is None  # nothing is free any more


def test_a_small_file_and_a_full_one_are_left_alone(settings: Settings) -> None:
    inode = settings.warehouse_path.stat().st_ino
    assert compact(settings) is None
    with duckdb.connect(str(settings.warehouse_path)) as con:
        con.execute("create table kept.big as select hash(range) as number, random() as noise from range(1500000)")
    assert compact(settings, small=0) is None
    assert settings.warehouse_path.stat().st_ino == inode


def test_what_a_killed_run_left_is_removed(settings: Settings) -> None:
    left = settings.home / "warehouse.compacting"
    left.write_bytes(b"half a file")
    left.with_name("warehouse.compacting.wal").write_bytes(b"and its log")
    assert compact(settings, small=0) is not None
    assert sorted(path.name for path in settings.home.iterdir()) == ["tmp", "warehouse.duckdb"] or sorted(
        path.name for path in settings.home.iterdir()
    ) == ["warehouse.duckdb"]


def test_a_copy_that_lacks_something_is_not_swapped_in(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before, inode = content(settings), settings.warehouse_path.stat().st_ino

    def lose(con: duckdb.DuckDBPyConnection, name: str) -> None:
        con.execute("delete from compacted.kept.numbers where number = 1")
        original(con, name)

    original = compaction._compare
    monkeypatch.setattr(compaction, "_compare", lose)
    with pytest.raises(CompactionError, match=r"kept\.numbers"):
        compact(settings, small=0)
    assert settings.warehouse_path.stat().st_ino == inode
    assert content(settings) == before


def test_a_crash_before_the_swap_leaves_the_old_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(settings)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    patch_within(monkeypatch, compaction, "os", replace=full)
    with pytest.raises(OSError, match="No space"):
        compact(settings, small=0)
    monkeypatch.undo()
    assert content(settings) == before
    assert not (settings.home / "warehouse.compacting").exists()
