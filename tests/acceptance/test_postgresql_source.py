"""Tables and queries of a real PostgreSQL as the files of a source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import yaml

from dagster_project.connectors import database
from dagster_project.connectors.database import try_database
from dagster_project.connectors.files import load_entity, prepare
from dagster_project.connectors.inspection import check_files
from dagster_project.connectors.source_files import SourceFileError
from dagster_project.settings import Settings, load_settings
from tests.acceptance.postgresql_server import PostgresqlServer

pytestmark = pytest.mark.acceptance

AT = datetime(2026, 5, 28, 6, 0)
PASSWORD = "password_not_to_be_seen"
EVENTS = {
    "event_id": "id",
    "account_id": "company",
    "event_name": "name",
    "occurred_at": "at",
    "known_at": "received_at",
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    made = PostgresqlServer()
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Product:
    """The database of a product; `read` says what pipeline.yml asks of it."""

    def __init__(self, server: PostgresqlServer, folder: Path) -> None:
        self.folder, self.port = folder, server.port
        self.url = f"postgresql://reader:{PASSWORD}@127.0.0.1:{server.port}/dagster"
        self.extracts: dict[str, Any] = {
            "usage": {"table": "app.events", "cursor": "received_at", "look_back_minutes": 60},
            "accounts": {"query": "select id, since from app.companies where not is_test;"},
        }
        self.con = duckdb.connect()
        prepare(self.con)
        self.run(
            """
            drop schema if exists app cascade; create schema app;
            create table app.events (id bigint, company text, name text, at timestamptz, received_at timestamptz);
            create table app.companies (id text, since date, is_test boolean);
            create table app.secrets (id text);
            insert into app.companies values ('A1', '2026-01-01', false), ('T', '2026-01-01', true);
            do $$ begin create role reader login password 'x'; exception when duplicate_object then null; end $$;
            grant usage on schema app to reader; grant select on app.events, app.companies to reader;
            """
        )

    def run(self, sql: str) -> None:
        with psycopg2.connect(host="127.0.0.1", port=self.port, user="dagster", dbname="dagster") as con:
            con.cursor().execute(sql)
        con.close()

    def event(self, number: int, received: str, name: str = "export") -> None:
        self.run(f"insert into app.events values ({number}, 'A1', '{name}', '2026-05-01 09:00+00', '{received}')")

    @property
    def settings(self) -> Settings:
        document = {
            "company": "Acme", "home": str(self.folder / "home"), "days": {"first": "2026-01-01"},
            "sources": {"files": {
                "folder": str(self.folder / "extracts"),
                "database": {"url": "env:PRODUCT_DATABASE", "extracts": self.extracts},
                "entities": {
                    "accounts": {"files": "accounts.parquet", "columns": {"account_id": "id", "created_on": "since"}},
                    "usage_events": {"files": "usage/*.parquet", "columns": EVENTS},
                },
            }},
        }  # fmt: skip
        (self.folder / "pipeline.yml").write_text(yaml.safe_dump(document))
        return load_settings(self.folder / "pipeline.yml", {})

    def load(self, entity: str = "usage_events") -> tuple[int, int]:
        """Files loaded, and rows accepted."""
        result = load_entity(self.con, self.settings, entity, AT)
        assert result.rows_rejected == 0
        return result.files_loaded, result.rows_accepted

    def ids(self) -> list[str]:
        return [one for (one,) in self.con.execute("select event_id from raw_files.usage_events order by 1").fetchall()]


@pytest.fixture
def product(server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    made = Product(server, tmp_path)
    monkeypatch.setenv("PRODUCT_DATABASE", made.url)
    yield made
    made.con.close()


def test_the_second_load_asks_only_for_new_rows(product: Product) -> None:
    product.event(1, "2026-05-01 10:00:00.123456+00")
    product.event(2, "2026-05-01 10:00:01+00")
    assert product.load() == (1, 2)
    assert product.load() == (0, 0)
    product.event(3, "2026-05-01 11:30+00")
    assert product.load() == (1, 1)
    assert product.ids() == ["1", "2", "3"]
    assert product.con.execute(
        "select known_at::varchar from raw_files.usage_events where event_id = '1'"
    ).fetchall() == [("2026-05-01 10:00:00.123456",)]


def test_a_row_that_came_late_is_found_and_none_comes_twice(product: Product) -> None:
    product.event(1, "2026-05-01 10:00+00")
    product.event(2, "2026-05-01 10:40+00")
    product.load()
    product.event(3, "2026-05-01 10:20+00")  # committed late
    product.event(4, "2026-05-01 09:20+00")  # too late: before the look-back
    product.event(5, "2026-05-01 10:50+00")
    product.event(2, "2026-05-01 10:40+00", name="other")
    assert product.load() == (1, 3)
    assert product.ids() == ["1", "2", "2", "3", "5"]


def test_without_a_cursor_it_is_read_whole_and_the_same_rows_are_the_same_file(product: Product) -> None:
    assert product.load("accounts") == (1, 1)
    assert product.load("accounts") == (0, 0)
    product.run("insert into app.companies values ('A2', '2026-02-01', false)")
    assert product.load("accounts") == (1, 2)
    product.run("delete from app.companies where id = 'A1'")
    assert product.load("accounts") == (1, 1), "what is gone there is gone here"


def test_an_extract_that_was_cut_off_before_it_was_noted_is_written_again(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.event(1, "2026-05-01 10:00+00")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(database, "write_whole", die)
        with pytest.raises(KeyboardInterrupt):
            product.load()
    product.event(2, "2026-05-01 10:01+00")
    assert product.load() == (1, 2)
    assert [path.name for path in (product.folder / "extracts" / "usage").iterdir()] == ["000001.parquet"]


def test_another_query_is_asked_from_the_beginning(product: Product) -> None:
    product.event(1, "2026-05-01 10:00+00")
    product.load()
    product.extracts["usage"] = {"query": "select * from app.events where id > 0", "cursor": "received_at"}
    assert product.load() == (1, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "app.nothing"}, "usage: PostgreSQL does not know a table, column or database that is asked for"),
        (
            {"table": "app.secrets"},
            "usage: PostgreSQL does not let this user use the table secrets; it needs: grant",
        ),
        ({"query": "selec 1"}, "usage: PostgreSQL does not understand the query"),
    ],
)
def test_what_postgresql_refuses_is_said_in_words(product: Product, change: dict[str, Any], said: str) -> None:
    product.extracts["usage"] = change
    product.extracts["usage"] |= {"cursor": "received_at"} if "table" in change and "secrets" not in said else {}
    files = product.settings.sources.files
    with pytest.raises(SourceFileError) as error:
        database.extract_rows(files, ["usage.parquet", "usage/*.parquet"])  # type: ignore[arg-type]
    assert said in str(error.value)
    assert PASSWORD not in str(error.value)


def test_rows_without_a_cursor_are_not_lost_silently(product: Product) -> None:
    product.event(1, "2026-05-01 10:00+00")
    product.run("insert into app.events values (9, 'A1', 'x', now(), null)")
    with pytest.raises(SourceFileError, match="usage: 1 rows have no received_at, and would never be read"):
        product.load()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "the environment variable PRODUCT_DATABASE is not set; pipeline.yml names it for the database's address"),
        (f"postgresql://reader:{PASSWORD}@127.0.0.1:1/dagster", "PostgreSQL does not answer; check PRODUCT_DATABASE"),
        (f"postgresql://nobody:{PASSWORD}@HERE/dagster", "PostgreSQL does not know the user; check PRODUCT_DATABASE"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_so(
    product: Product, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("PRODUCT_DATABASE", url.replace("HERE", f"127.0.0.1:{product.port}"))
    with pytest.raises(SourceFileError) as error:
        product.load()
    assert said in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_look_tells_what_there_is_and_writes_nothing(product: Product) -> None:
    files = product.settings.sources.files
    assert sorted(try_database(files)) == ["accounts: 2 columns", "usage: 5 columns"]  # type: ignore[arg-type]
    assert (check_files(product.settings, "accounts"), check_files(product.settings, "usage_events")) == (1, 1)
    assert not (product.folder / "extracts").exists()


def test_nothing_can_be_written_there(product: Product) -> None:
    product.extracts["usage"] = {"query": "insert into app.companies values ('X', now(), false) returning *"}
    product.run("grant insert on app.companies to reader")
    with pytest.raises(SourceFileError):
        database.extract_rows(product.settings.sources.files, ["usage.parquet"])  # type: ignore[arg-type]
    product.run("do $$ begin assert (select count(*) from app.companies) = 2; end $$")
