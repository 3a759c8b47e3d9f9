"""What Spark is given and gives back: raw tables as Parquet, written only where they changed; marts read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from dagster_project import spark
from dagster_project.settings import MARTS, PROJECT_ROOT, Settings, load_settings

CONFIG = """\
company: Acme
home: {home}
days: {{first: 2026-01-01, last: 2026-01-31}}
engine:
  name: spark
  master: local-cluster[2,1,1024]
  memory: 1.5GB
  settings: {{spark.sql.shuffle.partitions: "2"}}
sources:
  files:
    folder: data
    entities:
      accounts: {{files: accounts.csv, columns: {{account_id: id, created_on: since}}}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "pipeline.yml"
    config.write_text(CONFIG.format(home=tmp_path / "home"))
    return load_settings(config, {})


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema raw_files; create schema raw_meta; create schema raw_config; create schema intermediate;
            create table raw_files.users (user_id varchar, _file_id bigint);
            insert into raw_files.users values ('u1', 1), ('u2', 1), ('u3', 2);
            create table raw_files.tickets (ticket_id varchar, opened timestamp, _file_id bigint);
            create table raw_config.settings as select 'Acme' as company;
            create table raw_meta.run_days as select
                date '2026-01-03' as from_day, date '2026-01-04' as to_day, date '2026-01-02' as windows_from_day;
            create table raw_meta.fact_days (day date);
            create table raw_meta.loaded_files (file_id bigint, path varchar);
            create table raw_meta.open_days (day date);
            """
        )
        yield connection


def raw(settings: Settings, table: str) -> list[Path]:
    return sorted((spark.spark_folder(settings) / "raw" / table.replace(".", "/")).glob("*.parquet"))


def rows(files: list[Path]) -> list[tuple[object, ...]]:
    return duckdb.sql(f"select * from read_parquet({[str(file) for file in files]!r}) order by all").fetchall()


def test_raw_tables_become_parquet_one_file_for_each_that_rows_came_from(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection
) -> None:
    written = spark.write_raw(warehouse, settings)
    assert "raw_meta.open_days" not in written, "the plan's own books stay where they are"
    assert len(raw(settings, "raw_files.users")) == 2
    assert rows(raw(settings, "raw_files.users")) == [("u1", 1), ("u2", 1), ("u3", 2)]
    assert rows(raw(settings, "raw_files.tickets")) == [], "a table without rows has its columns all the same"
    assert rows(raw(settings, "raw_config.settings")) == [("Acme",)]


def test_only_what_changed_is_written_again(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    spark.write_raw(warehouse, settings)
    before = {path: path.stat().st_ino for path in raw(settings, "raw_files.users")}
    assert spark.write_raw(warehouse, settings) == []
    warehouse.execute("update raw_files.users set user_id = 'u9' where _file_id = 2")
    warehouse.execute("insert into raw_files.tickets values ('t1', '2026-01-02 10:00', 3)")
    assert spark.write_raw(warehouse, settings) == ["raw_files.tickets", "raw_files.users"]
    after = raw(settings, "raw_files.users")
    assert rows(after) == [("u1", 1), ("u2", 1), ("u9", 2)]
    assert [path.stat().st_ino for path in after if path in before] == [
        before[path] for path in after if path in before
    ]
    assert sum(path in before for path in after) == 1
    assert len(raw(settings, "raw_files.tickets")) == 1, "the file that stood for no rows is gone"


def test_a_column_more_writes_the_table_again(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    spark.write_raw(warehouse, settings)
    warehouse.execute("alter table raw_files.tickets add column severity varchar")
    assert spark.write_raw(warehouse, settings) == ["raw_files.tickets"]


def test_marts_and_what_the_plan_looks_up_come_back(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    tables = spark.spark_folder(settings) / "tables"
    for place, query in {
        "marts.db/fct/day=2026-01-03": "select 'a' as account_id, 1.5 as score",
        "marts.db/fct/day=2026-01-04": "select 'a' as account_id, null::double as score",
        "intermediate.db/int_usage__arrivals/known_day=2026-01-02": "select 3 as without_account",
        "intermediate.db/int_usage__daily/known_day=2026-01-02": "select 'a' as account_id",
        "intermediate.db/int_usage__windows/day=2025-12-31": "select 'a' as account_id",
        "intermediate.db/int_usage__windows/day=2026-01-04": "select 'a' as account_id",
    }.items():
        (tables / place).mkdir(parents=True)
        warehouse.execute(f"copy ({query}) to '{tables / place / 'part-0.parquet'}' (format parquet)")
    contract = {"account_id": "varchar", "day": "date", "score": "double"}
    spark.read_back(warehouse, settings, {"fct": contract})
    assert warehouse.execute("from marts.fct order by day").fetchall() == [
        ("a", date(2026, 1, 3), 1.5),
        ("a", date(2026, 1, 4), None),
    ]
    assert [row[:2] for row in warehouse.execute("describe marts.fct").fetchall()] == [
        ("account_id", "VARCHAR"), ("day", "DATE"), ("score", "DOUBLE"),
    ]  # fmt: skip
    assert warehouse.execute("from intermediate.int_usage__arrivals").fetchall() == [(date(2026, 1, 2), 3)]
    windows = warehouse.execute("from intermediate.int_usage__windows").fetchall()
    assert windows == [(date(2026, 1, 4),)], "a day before the run's own may be one that the plan called outdated"


def test_windows_of_a_run_cut_off_count_as_missing(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute(
        "create table intermediate.int_usage__windows as "
        "select date '2026-01-01' + n::integer as day from range(5) as t(n)"
    )
    spark.forget_windows(warehouse)
    assert warehouse.execute("from intermediate.int_usage__windows order by day").fetchall() == [
        (date(2026, 1, 1),),
        (date(2026, 1, 5),),
    ]


def test_spark_is_started_with_what_pipeline_yml_says(settings: Settings) -> None:
    variables = spark.environment(settings)
    lines = (Path(variables["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text().splitlines()
    assert "spark.master local-cluster[2,1,1024]" in lines
    assert "spark.driver.memory 1536m" in lines
    assert "spark.sql.shuffle.partitions 2" in lines
    assert f"spark.sql.warehouse.dir {settings.home}/spark/tables" in lines
    assert variables["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_each_engine_has_a_warehouse_of_its_own(settings: Settings) -> None:
    assert settings.warehouse_path == settings.home / "spark" / "warehouse.duckdb"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "`java` is version 11"),
        ('java version "1.8.0_301"', "`java` is version 1"),
        (None, "no `java` was found"),
    ],
)
def test_without_java_17_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, complaint: str
) -> None:
    monkeypatch.setattr(spark, "find_spec", lambda name: object())
    if said:
        java = tmp_path / "bin" / "java"
        java.parent.mkdir()
        java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
        java.chmod(0o755)
    with pytest.raises(spark.SparkMissingError, match="needs Java 17 or newer") as refused:
        spark.check_installed({"JAVA_HOME": str(tmp_path)})
    assert complaint in str(refused.value)


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "find_spec", lambda name: None)
    with pytest.raises(spark.SparkMissingError, match="make spark"):
        spark.check_installed({})


def test_contracts_are_those_of_the_marts() -> None:
    contracts = spark.contracts_of(PROJECT_ROOT / "dbt_project" / "target" / "manifest.json", MARTS)
    assert list(contracts) == list(MARTS)
    assert contracts["fct_health_scores"]["day"] == "date"
    assert all(kind for contract in contracts.values() for kind in contract.values()), json.dumps(contracts)
