"""The larger engine: what Spark needs before dbt runs on it, and what comes back into the warehouse afterwards.

The loader lands and merges raw tables in DuckDB as ever. From there they go to Parquet, of which Spark sees views; the
models become tables in Spark's own folder, and the finished marts are read from there into the warehouse, so that
everything after dbt is the same for both engines (docs/decisions/0012).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import duckdb

from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.warehouse import quoted, table_exists

LOCK = PROJECT_ROOT / "requirements-spark.lock"
OLDEST_JAVA = 17
PACKAGES = {"pyspark": "pyspark", "dbt-spark": "dbt.adapters.spark"}
# Of the load's own books, those that the models read.
BOOKS = ("raw_meta.run_days", "raw_meta.fact_days", "raw_meta.loaded_files")
# What the next run's plan looks up: every column of arrivals, of the rest only which days there are.
ARRIVALS, WINDOWS, DAILY = "int_usage__arrivals", "int_usage__windows", "int_usage__daily"

_OF_THE_RUN = "kept.day between run.windows_from_day and run.to_day"

Contract = Mapping[str, str]  # a mart's columns and their types, in order


class SparkMissingError(Exception):
    """Something that Spark needs is not installed; says what, and how to get it."""


def check_installed(environ: Mapping[str, str] | None = None) -> None:
    """Raises SparkMissingError without the Python packages, or without Java 17 or newer."""
    environ = os.environ if environ is None else environ
    absent = [package for package, name in PACKAGES.items() if find_spec(name) is None]
    if absent:
        raise SparkMissingError(
            f"engine.name is spark, but {' and '.join(absent)} is not installed: `make spark` installs the packages of "
            f"{LOCK.name} beside the others (about 450 MB)"
        )
    found = java_version(environ)
    if found is None or found < OLDEST_JAVA:
        there = "no `java` was found in JAVA_HOME or on PATH" if found is None else f"`java` is version {found}"
        raise SparkMissingError(
            f"engine.name is spark, which needs Java {OLDEST_JAVA} or newer, but {there}. Install it (Debian: apt "
            "install openjdk-17-jre-headless), or set JAVA_HOME to where it is"
        )


def java_version(environ: Mapping[str, str]) -> int | None:
    """The major version of the Java that Spark would start; None if there is none."""
    home = environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environ.get("PATH"))
    if java is None or not Path(java).is_file():
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else None


def spark_folder(settings: Settings) -> Path:
    """Where everything of this engine lies: raw Parquet, Spark's tables and catalogue, its configuration."""
    return settings.home / "spark"


def environment(settings: Settings) -> dict[str, str]:
    """Write spark-defaults.conf; the variables by which Spark finds it, and dbt the raw tables."""
    folder = spark_folder(settings)
    conf = folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} {value}\n" for key, value in spark_settings(settings).items()]
    (conf / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    variables = {"SPARK_CONF_DIR": os.fspath(conf), "HEALTH_RAW": os.fspath(folder / "raw")}
    if _is_local(settings):
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
    return variables


def spark_settings(settings: Settings) -> dict[str, str]:
    """What Spark is started with; `engine.settings` of pipeline.yml comes last and wins."""
    folder = spark_folder(settings)
    local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"} if _is_local(settings) else {}
    return {
        "spark.master": settings.engine.master,
        "spark.driver.memory": _as_spark(settings.engine.memory),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": os.fspath(settings.home / "tmp"),
        "spark.sql.warehouse.dir": os.fspath(folder / "tables"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'catalogue'};create=true",
        "spark.driver.defaultJavaOptions": f"-Dderby.stream.error.file={folder / 'derby.log'}",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.constraintPropagation.enabled": "false",  # over a chain of joins its rules multiply: 51 s, else 15
        **local,
        **settings.engine.settings,
    }


def _is_local(settings: Settings) -> bool:
    return settings.engine.master.startswith("local")


def _as_spark(size: str) -> str:
    """`2GB` as Spark writes it, in whole megabytes: `2048m`."""
    number, unit = re.fullmatch(r"([\d.]+)\s*([KMGT])i?B", size).groups()  # type: ignore[union-attr]  # settings checked it
    return f"{max(1, round(float(number) * 1024.0 ** ('KMGT'.index(unit) - 1)))}m"


def write_raw(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Write the raw tables that changed as Parquet, one file for each source file that rows came from.

    Returns the tables that were written. A file appears whole or not at all, and what a part was written from stands in
    its name: what is in place already is not written again.
    """
    raw = spark_folder(settings) / "raw"
    found = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name like 'raw\\_%' escape '\\' and schema_name <> 'raw_meta' order by 1"
    ).fetchall()
    return [table for table in [*(row[0] for row in found), *BOOKS] if _write_table(connection, table, raw)]


def _write_table(connection: duckdb.DuckDBPyConnection, table: str, raw: Path) -> bool:
    schema, name = table.split(".")
    source, folder = f"{quoted(schema)}.{quoted(name)}", raw / schema / name
    folder.mkdir(parents=True, exist_ok=True)
    columns = connection.execute(f"describe {source}").fetchall()
    part = "_file_id" if any(column[0] == "_file_id" for column in columns) else "0"
    shape = abs(hash_of(connection, str([column[:2] for column in columns])))
    parts = connection.execute(
        f"select {part}, count(*), sum(hash(t))::varchar from {source} as t group by 1 order by 1"
    ).fetchall()
    # A table without rows still has columns.
    wanted = {f"part-{key}-{rows}-{digest}-{shape}.parquet": key for key, rows, digest in parts} or {
        f"part-none-{shape}.parquet": None
    }
    there = {path.name for path in folder.glob("*.parquet")}
    for file, key in wanted.items():
        if file in there:
            continue
        where = "where false" if key is None else f"where {part} = {key}"
        unfinished = folder / f".{file}"  # a name with a dot is none that Spark reads
        connection.execute(
            f"copy (select * from {source} {where}) to '{_text(unfinished)}' (format parquet, compression zstd)"
        )
        os.replace(unfinished, folder / file)
    for file in there - set(wanted):
        (folder / file).unlink()
    return bool(set(wanted) ^ there)


def hash_of(connection: duckdb.DuckDBPyConnection, text: str) -> int:
    """A number that stands for a text, the same in every process."""
    row = connection.execute("select hash(?)", [text]).fetchone()
    return int(row[0]) if row else 0


def forget_windows(connection: duckdb.DuckDBPyConnection) -> None:
    """Before Spark makes the windows of the run's days again: should it be cut off, they count as missing."""
    if table_exists(connection, "intermediate", WINDOWS):
        connection.execute(f"delete from intermediate.{WINDOWS} as kept using {BOOKS[0]} as run where {_OF_THE_RUN}")


def read_back(connection: duckdb.DuckDBPyConnection, settings: Settings, contracts: Mapping[str, Contract]) -> None:
    """Take the finished marts from Spark's Parquet into the warehouse, and what the next run's plan looks up.

    `contracts`: the marts, each with its columns. Of the windows only the run's days are new: the plan may have called
    others outdated, which Spark still has.
    """
    tables = spark_folder(settings) / "tables"
    connection.execute("begin")
    try:
        for schema in ("marts", "intermediate"):
            connection.execute(f"create schema if not exists {schema}")
        for name, columns in contracts.items():
            listed = ", ".join(
                f"cast({quoted(column)} as {kind}) as {quoted(column)}" for column, kind in columns.items()
            )
            _replace(connection, f"marts.{quoted(name)}", f"select {listed} from {_parquet(tables, 'marts', name)}")
        for name, listed in ((ARRIVALS, "known_day, without_account"), (DAILY, "distinct known_day")):
            _replace(
                connection, f"intermediate.{name}", f"select {listed} from {_parquet(tables, 'intermediate', name)}"
            )
        connection.execute(f"create table if not exists intermediate.{WINDOWS} (day date)")
        forget_windows(connection)
        connection.execute(
            f"insert into intermediate.{WINDOWS} select distinct kept.day "
            f"from {_parquet(tables, 'intermediate', WINDOWS)} as kept inner join {BOOKS[0]} as run on {_OF_THE_RUN}"
        )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _replace(connection: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    connection.execute(f"create or replace table {table} as {query}")


def _parquet(tables: Path, schema: str, name: str) -> str:
    """A table of Spark's as DuckDB reads it; one that has days has a folder for each, named after it."""
    folder = tables / f"{schema}.db" / name
    return f"read_parquet('{_text(folder)}/**/*.parquet', hive_partitioning = true, union_by_name = true)"


def _text(path: Path) -> str:
    return str(path).replace("'", "''")


def contracts_of(manifest: Path, marts: Sequence[str]) -> dict[str, Contract]:
    """The columns and types of the marts, as dbt's manifest has them."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    models = {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}
    return {
        name: {column["name"]: column["data_type"] for column in models[name]["columns"].values()} for name in marts
    }
