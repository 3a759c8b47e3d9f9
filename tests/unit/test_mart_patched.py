"""Where little has changed since the last publish, only that is written; what readers get is the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from dagster_project.destinations import mart
from dagster_project.destinations.mart import publish_mart

DAYS = "range(date '2026-01-01', date '2026-04-01', interval 1 day)"  # 90 days, three months


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Ninety days of forty accounts in one table, a small table without days, and one with rows of no day."""
    file = tmp_path / "warehouse.duckdb"
    change(
        file,
        "create schema marts",
        "create table marts.fct_health_scores as select 'A' || a as account_id, cast(d as date) as day, "
        f"50 + a * 0.5 as score from range(40) as t(a), {DAYS} as u(d)",
        "create table marts.dim_accounts as select 'A' || a as account_id from range(40) as t(a)",
        "create table marts.fct_input_issues as select day, account_id from marts.fct_health_scores where score > 69 "
        "union all select null, 'A7'",
        "comment on table marts.dim_accounts is 'Who they are'",
    )
    return file


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that a publish has copied: the old mart, where it is patched."""
    found: list[Path] = []

    def noted(source: Path, target: Path) -> None:
        found.append(source)
        shutil.copyfile(source, target)

    monkeypatch.setattr(mart, "copyfile", noted)
    return found


def change(file: Path, *statements: str) -> None:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


def assert_same(warehouse: Path, folder: Path) -> None:
    """The published file and the Parquet files hold what the warehouse holds."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
        connection.execute(f"attach '{folder / 'mart.duckdb'}' as mart (read_only)")
        described = "select table_name, comment, column_count from duckdb_tables() where database_name = '{}' "
        described += "and table_name not like '$_%' escape '$' order by 1"
        tables = connection.execute(described.format("warehouse")).fetchall()
        assert connection.execute(described.format("mart")).fetchall() == tables
        current = folder / "parquet" / "current"
        assert {path.name for path in current.iterdir()} == {*(name for name, *_ in tables), "_published"}
        for name, *_ in tables:
            expected = connection.execute(f"from warehouse.marts.{name} order by all").fetchall()
            assert connection.execute(f"from mart.marts.{name} order by all").fetchall() == expected
            assert connection.execute(f"from '{current / name / '*.parquet'}' order by all").fetchall() == expected


def inodes(folder: Path) -> dict[str, int]:
    current = folder / "parquet" / "current"
    return {str(path.relative_to(current)): path.stat().st_ino for path in current.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("statements", "written"),
    [
        (["insert into marts.fct_health_scores values ('A1', '2026-04-01', 3)"], {"fct_health_scores/2026-04"}),
        (["update marts.fct_health_scores set score = 1 where account_id = 'A3' and day = '2026-02-10'"],
         {"fct_health_scores/2026-02"}),
        (["delete from marts.fct_health_scores where day in ('2026-03-30', '2026-01-04', '2026-01-05')"],
         {"fct_health_scores/2026-01", "fct_health_scores/2026-03"}),
        (["update marts.fct_input_issues set account_id = 'A8' where day is null"], {"fct_input_issues/all"}),
        (["insert into marts.dim_accounts values ('A99')"], {"dim_accounts/all"}),
        (["comment on table marts.dim_accounts is 'Who they were'"], {"dim_accounts/all"}),
        (["create table marts.dim_more as select 1 as one"], {"dim_more/all"}),
        (["drop table marts.dim_accounts"], set()),
        (["delete from marts.fct_input_issues"], {"fct_input_issues/all"}),
        (["alter table marts.dim_accounts add column plan varchar",
          "delete from marts.fct_health_scores where day > '2026-03-29'"],
         {"dim_accounts/all", "fct_health_scores/2026-03"}),
    ],
)  # fmt: skip
def test_only_what_has_changed_is_written(
    warehouse: Path, tmp_path: Path, copied: list[Path], statements: list[str], written: set[str]
) -> None:
    folder = tmp_path / "published"
    publish_mart(warehouse, folder)
    before = inodes(folder)
    change(warehouse, *statements)
    published = publish_mart(warehouse, folder)
    assert published.changed
    assert copied == [folder / "mart.duckdb"]
    assert_same(warehouse, folder)
    after = inodes(folder)
    assert {name for name in after if after[name] != before.get(name)} == {
        f"{name}.parquet" for name in {*written, "_published/all"}
    }
    assert not publish_mart(warehouse, folder).changed
    assert publish_mart(warehouse, tmp_path / "elsewhere").fingerprint == published.fingerprint


def test_where_much_has_changed_the_file_is_made_anew(warehouse: Path, tmp_path: Path, copied: list[Path]) -> None:
    folder = tmp_path / "published"
    publish_mart(warehouse, folder)
    change(warehouse, "update marts.fct_health_scores set score = score + 1 where day > '2026-03-01'")
    publish_mart(warehouse, folder)
    assert copied == []
    assert_same(warehouse, folder)


def test_a_patched_file_does_not_carry_ever_more_of_what_was_replaced(
    warehouse: Path, tmp_path: Path, copied: list[Path]
) -> None:
    folder = tmp_path / "published"
    publish_mart(warehouse, folder)
    held = []
    for number in range(12):
        change(
            warehouse,
            f"update marts.fct_health_scores set score = {number} where day = '2026-01-{number + 1:02}'",
            f"update marts.fct_health_scores set score = -{number} where day between '2026-03-20' and '2026-03-27'",
        )
        publish_mart(warehouse, folder)
        with duckdb.connect(str(folder / "mart.duckdb"), read_only=True) as connection:
            held += connection.execute("select sum(estimated_size) from duckdb_tables()").fetchone() or ()
    rows = 90 * 40 + 40 + 90
    assert rows < max(held) < 1.6 * rows
    assert len(copied) >= 6
    assert_same(warehouse, folder)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: change(folder / "mart.duckdb", "update marts.dim_accounts set account_id = 'B' || account_id"),
        lambda folder: next((folder / "parquet" / "current").rglob("2026-02.parquet")).unlink(),
        lambda folder: change(folder / "mart.duckdb", "update marts._published set content_fingerprint = 'x'"),
    ],
)  # fmt: skip
def test_what_somebody_has_changed_is_made_anew(
    warehouse: Path, tmp_path: Path, copied: list[Path], harm: Callable[[Path], None]
) -> None:
    folder = tmp_path / "published"
    publish_mart(warehouse, folder)
    harm(folder)
    change(warehouse, "insert into marts.fct_health_scores values ('A1', '2026-04-01', 3)")
    publish_mart(warehouse, folder)
    assert copied == []
    assert_same(warehouse, folder)


def test_a_folder_that_was_copied_without_its_links_can_be_published_to(warehouse: Path, tmp_path: Path) -> None:
    publish_mart(warehouse, tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    assert not (tmp_path / "second" / "parquet" / "current").is_symlink()
    assert publish_mart(warehouse, tmp_path / "second").parquet_folder.is_symlink()
    assert_same(warehouse, tmp_path / "second")
