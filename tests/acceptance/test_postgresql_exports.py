"""Exports as tables of a real PostgreSQL: the mart's rows, in one transaction, refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from dagster_project.destinations.exports import ExportError, send_export
from dagster_project.destinations.mart import publish_mart
from dagster_project.export_settings import Destinations, Export
from tests.acceptance.postgresql_server import PostgresqlServer
from tests.marts_fixture import build_warehouse

pytestmark = pytest.mark.acceptance

PASSWORD = "password_not_to_be_seen"
EXPORT = Export(name="health", table="current_health", to="bi")
PLACES = Destinations.model_validate({"databases": {"bi": {"url": "env:BI_DATABASE", "schema": "shared"}}})


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    made = PostgresqlServer()
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mart")
    return publish_mart(build_warehouse(folder / "warehouse.duckdb", accounts=20, days=3), folder / "published").path


@pytest.fixture
def admin(server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    con = psycopg2.connect(host="127.0.0.1", port=server.port, user="dagster", dbname="dagster")
    con.autocommit = True
    monkeypatch.setenv("BI_DATABASE", f"postgresql://dagster:{PASSWORD}@127.0.0.1:{server.port}/dagster")
    con.cursor().execute("drop schema if exists shared cascade")
    yield con
    con.close()


def rows(con: Any, query: str) -> list[tuple[Any, ...]]:
    cursor = con.cursor()
    cursor.execute(query)
    return list(cursor.fetchall())


def test_the_table_holds_the_rows_of_the_mart(mart: Path, admin: Any, tmp_path: Path) -> None:
    (done,) = send_export(mart, EXPORT, PLACES, tmp_path)
    assert (done.path, done.rows) == ("shared.health", 21)
    with duckdb.connect(str(mart), read_only=True) as con:
        expected = con.execute("select * from marts.current_health order by account_id").fetchall()
    assert rows(admin, 'select * from shared.health order by account_id collate "C"') == expected
    send_export(mart, EXPORT, PLACES, tmp_path)
    assert rows(admin, "select count(*) from shared.health") == [(21,)]


def test_what_stands_on_the_table_stays_and_columns_may_lie_in_another_order(
    mart: Path, admin: Any, tmp_path: Path
) -> None:
    admin.cursor().execute(
        "create schema shared; create table shared.health (score double precision, account_id text primary key);"
        "create view shared.low as select account_id from shared.health where score < 50;"
        "insert into shared.health values (1, 'gone')"
    )
    few = EXPORT.model_copy(update={"columns": ("account_id", "score")})
    send_export(mart, few, PLACES, tmp_path)
    assert rows(admin, "select count(*), count(*) filter (where account_id = 'gone') from shared.health") == [(21, 0)]
    assert rows(admin, "select count(*) > 0 from shared.low") == [(True,)]


def test_what_fails_at_its_very_end_leaves_the_old_rows(mart: Path, admin: Any, tmp_path: Path) -> None:
    send_export(mart, EXPORT, PLACES, tmp_path)
    admin.cursor().execute(
        """
        update shared.health set owner = 'before';
        create function shared.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
        create constraint trigger at_commit after insert on shared.health deferrable initially deferred
        for each row execute function shared.refuse()
        """
    )
    with pytest.raises(ExportError, match=r"export 'health' to bi: shared\.health: PostgreSQL failed"):
        send_export(mart, EXPORT, PLACES, tmp_path)
    assert rows(admin, "select count(*), min(owner), max(owner) from shared.health") == [(21, "before", "before")]


def test_other_columns_and_a_user_without_rights_are_told(
    mart: Path, admin: Any, tmp_path: Path, server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.cursor().execute("create schema shared; create table shared.health (account_id text, note text)")
    few = EXPORT.model_copy(update={"columns": ("account_id", "score")})
    with pytest.raises(ExportError, match=r"the table there lacks score and has note too; name the columns"):
        send_export(mart, few, PLACES, tmp_path)
    admin.cursor().execute(
        f"do $$ begin create role guest login password '{PASSWORD}'; exception when duplicate_object then null; end $$;"
        "grant usage on schema shared to guest; grant select on shared.health to guest;"
        "alter table shared.health drop column note, add column score double precision"
    )
    monkeypatch.setenv("BI_DATABASE", f"postgresql://guest:{PASSWORD}@127.0.0.1:{server.port}/dagster")
    with pytest.raises(
        ExportError,
        match="use the table health; it needs: usage and create on schema shared, and insert",
    ) as error:
        send_export(mart, few, PLACES, tmp_path)
    assert PASSWORD not in str(error.value)
    admin.cursor().execute("grant insert, delete on shared.health to guest")
    assert send_export(mart, few, PLACES, tmp_path)[0].rows == 21
    monkeypatch.setenv("BI_DATABASE", f"postgresql://guest:{PASSWORD}@127.0.0.1:1/dagster")
    with pytest.raises(ExportError, match="does not answer; check BI_DATABASE"):
        send_export(mart, few, PLACES, tmp_path)
