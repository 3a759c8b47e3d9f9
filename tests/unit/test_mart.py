"""The published mart: whole, equal to the warehouse, readable by old clients, and untouched when a publish fails."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from dagster_project.destinations import mart as mart_module
from dagster_project.destinations.mart import PublishedMart, PublishError, publish_mart
from tests.marts_fixture import build_warehouse

ROOT = Path(__file__).parents[2]
MARTS = (
    "current_health", "dim_accounts", "dim_scorecard_measures", "dim_scorecards", "fct_breaches",
    "fct_health_scores", "fct_input_issues", "fct_measure_scores", "fct_parent_scores",
)  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_warehouse(tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb", accounts=20, days=30)


@pytest.fixture(scope="module")
def published(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> PublishedMart:
    """A published mart that tests read but do not change."""
    return publish_mart(warehouse, tmp_path_factory.mktemp("published"))


def query(file: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(file), read_only=True) as con:
        return con.execute(sql).fetchall()


def contents(folder: Path) -> dict[str, object]:
    """Every file and link below the folder with its bytes or target: what a publish must not have touched."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("table", MARTS)
def test_every_mart_equals_the_warehouse_as_duckdb_and_as_parquet(
    warehouse: Path, published: PublishedMart, table: str
) -> None:
    expected = query(warehouse, f"select * from marts.{table} order by all")
    assert expected
    assert query(published.path, f"select * from marts.{table} order by all") == expected
    file = published.parquet_folder / table / "*.parquet"
    assert duckdb.execute(f"select * from '{file}' order by all").fetchall() == expected
    assert published.tables[table] == len(expected)


def test_tables_are_real_and_keep_types_and_comments(warehouse: Path, published: PublishedMart) -> None:
    assert query(published.path, "select count(*) from duckdb_views() where not internal") == [(0,)]
    columns = """
        select table_name, column_name, data_type, comment from duckdb_columns()
        where schema_name = 'marts' and table_name not like '\\_%' escape '\\' order by all
    """
    assert query(published.path, columns) == query(warehouse, columns)
    comment = "select comment from duckdb_tables() where table_name = 'current_health'"
    assert query(published.path, comment) == [("Today's health of every account; one row an account",)]


def test_a_view_in_the_warehouse_is_published_as_a_table(warehouse: Path, tmp_path: Path) -> None:
    copy = tmp_path / "warehouse.duckdb"
    copy.write_bytes(warehouse.read_bytes())
    with duckdb.connect(str(copy)) as con:
        con.execute("create view marts.red as select * from warehouse.marts.current_health where band = 'red'")
        con.execute("create table marts.fct_breaches__dbt_tmp as select 1 as leftover")
    published = publish_mart(copy, tmp_path / "published")
    assert set(published.tables) == {*MARTS, "red"}
    assert published.tables["red"] == query(published.path, "select count(*) from marts.red")[0][0] > 0


def test_the_file_opens_in_duckdb_1_0(published: PublishedMart) -> None:
    # Bytes 12 to 19 of the header hold the storage number; 64 is that of DuckDB 0.10 to 1.1.
    header = published.path.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64
    assert not Path(f"{published.path}.wal").exists()


def test_rows_lie_in_order_whatever_their_order_in_the_warehouse(published: PublishedMart) -> None:
    for source in ("marts.fct_measure_scores", f"'{published.parquet_folder / 'fct_measure_scores' / '*.parquet'}'"):
        keys = query(published.path, f"select day, account_id, lens, scorecard_hash, measure from {source}")
        assert keys == sorted(keys)


def test_published_row_names_the_content_and_not_the_time(published: PublishedMart, warehouse: Path) -> None:
    assert query(published.path, "select content_fingerprint, last_day::varchar, scorecards from marts._published") == [
        (published.fingerprint, "2026-06-30", "default 1.0 aaaabbbbcccc; satisfaction 1.0 ddddeeeeffff")
    ]


def test_the_same_marts_in_other_row_order_are_the_same_content(warehouse: Path, tmp_path: Path) -> None:
    first = publish_mart(warehouse, tmp_path / "published")
    shuffled = tmp_path / "warehouse.duckdb"
    shuffled.write_bytes(warehouse.read_bytes())
    with duckdb.connect(str(shuffled)) as con:
        con.execute("create or replace table marts.fct_breaches as from marts.fct_breaches order by breach_id desc")
    before = contents(tmp_path / "published")
    second = publish_mart(shuffled, tmp_path / "published")
    assert (first.changed, second.changed) == (True, False)
    assert second.fingerprint == first.fingerprint
    assert contents(tmp_path / "published") == before
    assert publish_mart(shuffled, tmp_path / "elsewhere").parquet_folder.resolve().name.endswith(first.fingerprint)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "mart.duckdb").write_bytes(b"not a database"),
        lambda folder: (folder / "mart.duckdb").unlink(),
        lambda folder: (folder / "parquet" / "current").unlink(),
        lambda folder: (folder / "parquet" / "current" / "dim_accounts" / "all.parquet").unlink(),
    ],
)
def test_a_damaged_mart_is_made_again(warehouse: Path, tmp_path: Path, damage: object) -> None:
    publish_mart(warehouse, tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    again = publish_mart(warehouse, tmp_path)
    assert again.changed
    assert query(again.path, "select count(*) from marts.dim_accounts") == [(21,)]
    assert len(list(again.parquet_folder.iterdir())) == len(MARTS) + 1


def test_a_changed_value_is_published_and_two_old_versions_stay(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    for generation in range(5):
        warehouse = build_warehouse(tmp_path / "warehouse.duckdb", accounts=3, days=2, generation=generation)
        published = publish_mart(warehouse, folder)
        assert query(published.path, "select distinct generation from marts.fct_health_scores") == [(generation,)]
    versions = sorted(path.name for path in (folder / "parquet").iterdir())
    assert [name[:6] for name in versions] == ["000003", "000004", "000005", "curren"]
    assert published.parquet_folder.readlink().name == versions[2]


def test_permissions_let_the_group_read_and_nobody_else(warehouse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    before = os.umask(0o077)
    try:
        published = publish_mart(warehouse, folder)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_file() and path.name != ".publish.lock"} == {0o640}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
    assert published.path in modes


def test_permissions_of_a_folder_that_was_there_are_its_owners(warehouse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    publish_mart(warehouse, folder)
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: None, "there is no warehouse to publish; run the pipeline first"),
        (lambda file: duckdb.connect(str(file)).close(), "schema 'marts' has no tables"),
        (lambda file: file.write_bytes(b"no database at all" * 1000), "the marts were not published"),
    ],
)
def test_a_warehouse_without_marts_is_refused_in_plain_words(tmp_path: Path, make: object, says: str) -> None:
    file = tmp_path / "warehouse.duckdb"
    make(file)  # type: ignore[operator]
    with pytest.raises(PublishError, match=says) as caught:
        publish_mart(file, tmp_path / "published")
    assert str(file) in str(caught.value)
    assert not (tmp_path / "published" / "mart.duckdb").exists()


def test_a_warehouse_in_use_is_refused_naming_the_process(warehouse: Path, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(warehouse)!r}); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(PublishError, match=rf"in use by process {writer.pid} .*wait until it has ended"):
            publish_mart(warehouse, tmp_path)
    finally:
        writer.communicate(b"\n")


def test_two_publishes_at_once_are_refused(warehouse: Path, tmp_path: Path) -> None:
    with (tmp_path / ".publish.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        with pytest.raises(PublishError, match="another publish is under way"):
            publish_mart(warehouse, tmp_path)
    assert publish_mart(warehouse, tmp_path).changed


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("delete from _target.marts.fct_breaches where rule = 'low'",
         "fct_breaches has .* rows, the warehouse has"),
        ("update _target.marts.current_health set score = score + 1 where account_id = 'A0001'",
         "current_health has other values"),
    ],
)  # fmt: skip
def test_a_copy_that_fails_its_check_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str, says: str
) -> None:
    folder = tmp_path / "published"
    publish_mart(build_warehouse(tmp_path / "warehouse.duckdb", accounts=5, days=3, generation=1), folder)
    before = contents(folder)
    newer = build_warehouse(tmp_path / "warehouse.duckdb", accounts=5, days=3, generation=2)
    stamp = mart_module._stamp

    def harmed(con: duckdb.DuckDBPyConnection, *rest: object) -> None:
        stamp(con, *rest)  # type: ignore[arg-type]
        con.execute(harm)

    monkeypatch.setattr(mart_module, "_stamp", harmed)
    with pytest.raises(PublishError, match=says):
        publish_mart(newer, folder)
    assert contents(folder) == before
    monkeypatch.undo()
    assert publish_mart(newer, folder).changed


def test_a_short_parquet_file_is_not_put_in_place(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = mart_module._settle

    def shortened(file: Path) -> None:
        settle(file)
        if file.parent.name == "dim_accounts":
            duckdb.execute(f"copy (select 'A' as account_id) to '{file}' (format parquet)")

    monkeypatch.setattr(mart_module, "_settle", shortened)
    with pytest.raises(PublishError, match=r"dim_accounts/all\.parquet does not have 21 rows"):
        publish_mart(warehouse, tmp_path)
    assert not (tmp_path / "mart.duckdb").exists()
    assert not (tmp_path / "parquet" / "current").exists()


# Kills itself without warning at the n-th of its steps; prints `done` when there are fewer.
KILLED = textwrap.dedent("""
    import os, shutil, signal, sys
    from pathlib import Path
    from dagster_project.destinations import mart

    warehouse, folder, fatal = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    calls = 0

    def deadly(function):
        def called(*args, **kwargs):
            global calls
            calls += 1
            if calls == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return called

    os.replace, os.rename, shutil.rmtree = deadly(os.replace), deadly(os.rename), deadly(shutil.rmtree)
    for name in ("_build", "_stamp", "_verify", "_swap_in", "_prune"):
        setattr(mart, name, deadly(getattr(mart, name)))
    settle = deadly(mart._settle)
    watched = ("dim_scorecards", ".building")
    mart._settle = lambda file: settle(file) if file.parent.name in watched else file.chmod(0o640)
    mart.publish_mart(warehouse, folder)
    print("done")
""")


def generations(mart: Path) -> tuple[int, int]:
    """The generation that the DuckDB file holds, and that of the Parquet files: one each, or it is a mixture."""
    tables = {
        name
        for (name,) in query(mart, "select table_name from duckdb_tables() where table_name not like '$_%' escape '$'")
    }
    assert tables == {"dim_scorecards", "fct_breaches"}
    (in_file,) = query(
        mart, "select generation from marts.dim_scorecards union select generation from marts.fct_breaches"
    )
    current = mart.parent / "parquet" / "current"
    (in_parquet,) = duckdb.execute(
        f"select generation from '{current}/dim_scorecards/all.parquet' "
        f"union select generation from '{current}/fct_breaches/all.parquet'"
    ).fetchall()
    return in_file[0], in_parquet[0]


def test_a_publish_killed_at_any_step_leaves_a_whole_mart_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    warehouses = {}
    for generation in (1, 2):
        warehouses[generation] = tmp_path / f"{generation}" / "warehouse.duckdb"
        warehouses[generation].parent.mkdir()
        with duckdb.connect(str(warehouses[generation])) as con:
            con.execute("create schema marts")
            for table in ("dim_scorecards", "fct_breaches"):
                con.execute(f"create table marts.{table} as select {generation} as generation from range(3)")
    publish_mart(warehouses[1], tmp_path / "published")
    seen = []
    for fatal in range(1, 100):
        folder = tmp_path / f"published-{fatal}"
        shutil.copytree(tmp_path / "published", folder, symlinks=True)
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(warehouses[2]), str(folder), str(fatal)],
            check=False, cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        if ended.returncode == 0:
            assert ended.stdout == "done\n"
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        seen.append(generations(folder / "mart.duckdb"))

        publish_mart(warehouses[2], folder)
        assert generations(folder / "mart.duckdb") == (2, 2)
        assert sorted(path.name for path in folder.iterdir()) == [".publish.lock", "mart.duckdb", "parquet"]
        versions = [path for path in (folder / "parquet").iterdir() if not path.is_symlink()]
        assert {len(list(path.iterdir())) for path in versions} == {3}
        assert len(versions) <= mart_module.VERSIONS_KEPT
    else:
        pytest.fail("the publish never came to its end")
    # The kills did fall before the swaps, between them and after them.
    assert seen == sorted(seen)
    assert set(seen) == {(1, 1), (2, 1), (2, 2)}


def test_a_stray_log_beside_the_old_mart_is_not_replayed_on_the_new_one(warehouse: Path, tmp_path: Path) -> None:
    publish_mart(build_warehouse(tmp_path / "warehouse.duckdb", accounts=3, days=2), tmp_path)
    writer = (
        "import duckdb, os; c = duckdb.connect({path!r}); c.execute('create table marts.mine as select 1');"
        "os.kill(os.getpid(), 9)"
    ).format(path=str(tmp_path / "mart.duckdb"))
    subprocess.run([sys.executable, "-c", writer], check=False)
    assert (tmp_path / "mart.duckdb.wal").exists()
    published = publish_mart(warehouse, tmp_path)
    assert not (tmp_path / "mart.duckdb.wal").exists()
    assert query(published.path, "select count(*) from duckdb_tables() where table_name = 'mine'") == [(0,)]
