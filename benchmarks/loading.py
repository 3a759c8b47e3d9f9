"""How fast usage files are loaded, beside the least that DuckDB could do: 5 million events unless told otherwise.

    python -m benchmarks.loading [--events 5000000] [--rounds 3] [--formats parquet,csv,jsonl] [--postgresql]

- `loaded`: what a run does: files found and hashed, every row cast, checked against the contract and stored as received
  with its origin and load time; faulty rows to quarantine (one in a thousand is).
- `bare`: `create table as select` of the same columns with the same types, into a new file.
- `copied` and `extracted` with --postgresql: COPY of a table to a client that writes a file, and our extract of it.

Each is a process of its own with two threads and 700 MB for DuckDB, as in the sample; which goes first changes from
round to round. Seconds are those of the work, without the start of Python; memory is the process' peak. Printed are
medians, and the ratio of the speeds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg2  # type: ignore[import-untyped]
import yaml

from dagster_project.connectors.database import extract_rows
from dagster_project.connectors.files import load_entity, prepare
from dagster_project.settings import Settings, load_settings
from dagster_project.warehouse import STORAGE_VERSION, literal

DAYS = 30
EVENTS = """
select
    'E' || number as event_id, 'A' || hash(number, 'a') % 20000 as account_id,
    'U' || hash(number, 'u') % 200000 as user_id, 'feature ' || hash(number, 'f') % 20 as feature,
    date '2026-01-01' + (number * $days // $events)::integer + to_seconds((hash(number, 's') % 86400)::bigint)
        as happened_at,
    case when number % 1000 = 0 then -1 else hash(number, 'd') % 3600 end as seconds
from range($events) as numbers (number)
"""
TYPES = {
    "event_id": "varchar", "account_id": "varchar", "user_id": "varchar", "feature": "varchar",
    "happened_at": "timestamp", "seconds": "integer",
}  # fmt: skip
WRITTEN = {"parquet": "format parquet, compression zstd", "csv": "format csv, header", "jsonl": "format json"}
COLUMNS = {
    "event_id": "event_id", "account_id": "account_id", "user_id": "user_id", "event_name": "feature",
    "occurred_at": "happened_at", "duration_seconds": "seconds",
}  # fmt: skip
ACCOUNTS = {"files": "accounts.csv", "columns": {"account_id": "account_id", "created_on": "since"}}
DATABASE = "BENCH_DATABASE"  # the variable that holds its address


def make(folder: Path, kind: str, events: int) -> None:
    """One file a day."""
    files = folder / kind
    files.mkdir()
    with duckdb.connect() as con:
        con.execute(f"create table events as {EVENTS}", {"events": events, "days": DAYS})
        for day in range(DAYS):
            con.execute(
                f"copy (select * from events where happened_at::date = date '2026-01-01' + {day}) "
                f"to {literal(str(files / f'{day:02d}.{kind}'))} ({WRITTEN[kind]})"
            )


def loaded(folder: Path, kind: str) -> int:
    """The project's own way; returns rows read."""
    home = Path(tempfile.mkdtemp(dir=folder))
    usage = {"files": f"{kind}/*.{kind}", "columns": COLUMNS}
    settings = settings_of(home, {"folder": str(folder), "entities": {"accounts": ACCOUNTS, "usage_events": usage}})
    with opened(home / "warehouse.duckdb") as con:
        prepare(con)
        result = load_entity(con, settings, "usage_events", datetime(2026, 2, 1))
    return result.rows_read


def settings_of(home: Path, files: dict[str, Any]) -> Settings:
    """A company that has these files."""
    document = {"company": "Bench", "home": str(home), "days": {"first": "2026-01-01"}, "sources": {"files": files}}
    (home / "pipeline.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(home / "pipeline.yml", {})


def bare(folder: Path, kind: str) -> int:
    """DuckDB alone; returns rows read."""
    home = Path(tempfile.mkdtemp(dir=folder))
    files = literal(str(folder / kind / f"*.{kind}"))
    named = "{" + ", ".join(f"{name}: '{of}'" for name, of in TYPES.items()) + "}"
    readers = {
        "parquet": f"read_parquet({files})",
        "csv": f"read_csv({files}, header=true, columns={named})",
        "jsonl": f"read_json({files}, format='newline_delimited', columns={named})",
    }
    with opened(home / "bare.duckdb") as con:
        columns = ", ".join(f"{name}::{of} as {name}" for name, of in TYPES.items())
        found = con.execute(f"create table usage as select {columns} from {readers[kind]}").fetchone()
    return int(found[0]) if found else 0


def opened(file: Path) -> duckdb.DuckDBPyConnection:
    """A new file of a DuckDB that is as large as that of a small machine."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2, "memory_limit": "700MB", "storage_compatibility_version": STORAGE_VERSION,
        "temp_directory": str(file.parent / "tmp"),
    }  # fmt: skip
    return duckdb.connect(str(file), config=config)


def copied(folder: Path, _: str) -> int:
    """COPY to a client that writes a file; returns rows."""
    file = Path(tempfile.mkdtemp(dir=folder)) / "copy.csv"
    with psycopg2.connect(os.environ[DATABASE]) as con, file.open("wb") as output:
        cursor = con.cursor()
        cursor.copy_expert("copy events to stdout (format csv)", output)
        return int(cursor.rowcount)


def extracted(folder: Path, _: str) -> int:
    """The same table as the project reads it, to Parquet; returns rows."""
    home = Path(tempfile.mkdtemp(dir=folder))
    database = {"url": f"env:{DATABASE}", "extracts": {"usage": {"table": "events", "cursor": "happened_at"}}}
    usage = {"files": "usage/*.parquet", "columns": COLUMNS}
    files = {"folder": str(home / "extracts"), "database": database}
    settings = settings_of(home, files | {"entities": {"accounts": ACCOUNTS, "usage_events": usage}})
    assert settings.sources.files is not None
    return extract_rows(settings.sources.files, ["usage/*.parquet"])


CONTENDERS = {"loaded": loaded, "bare": bare, "copied": copied, "extracted": extracted}


def contend(name: str, folder: Path, kind: str) -> None:
    """In a process of its own: do it, and print what it took."""
    started = time.perf_counter()
    rows = CONTENDERS[name](folder, kind)
    seconds = time.perf_counter() - started
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"rows": rows, "seconds": seconds, "megabytes": int(peak.split()[1]) / 1024}))


def compared(names: Sequence[str], folder: Path, kind: str, events: int, rounds: int) -> None:
    """Run both by turns and print their medians."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            command = [sys.executable, "-m", "benchmarks.loading", "--contend", name, str(folder), kind]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{name} {kind} failed:\n{done.stderr}")
            figures = json.loads(done.stdout.splitlines()[-1])
            if figures["rows"] != events:
                raise SystemExit(f"{name} {kind} read {figures['rows']} rows of {events}")
            found[name].append(figures)
    medians = {
        name: {what: statistics.median(run[what] for run in runs) for what in ("seconds", "megabytes")}
        for name, runs in found.items()
    }
    ours, theirs = names
    told = ", ".join(f"{name} {of['seconds']:5.1f} s {of['megabytes']:5,.0f} MB" for name, of in medians.items())
    print(f"{kind:10} {told}, speed {medians[theirs]['seconds'] / medians[ours]['seconds']:.2f}", flush=True)


def of_postgresql(folder: Path, events: int, rounds: int) -> None:
    """A table in a PostgreSQL on loopback, copied and extracted."""
    from tests.acceptance.postgresql_server import PostgresqlServer

    server = PostgresqlServer()
    server.start()
    try:
        os.environ[DATABASE] = f"postgresql://dagster@127.0.0.1:{server.port}/dagster"
        with psycopg2.connect(os.environ[DATABASE]) as con:
            con.cursor().execute(
                f"create table events as select 'E' || n as event_id, 'A' || n % 20000 as account_id, "
                f"'U' || n % 200000 as user_id, 'feature ' || n % 20 as feature, "
                f"timestamptz '2026-01-01' + n * interval '1 second' as happened_at, (n % 3600)::integer as seconds "
                f"from generate_series(1, {events}) as n"
            )
        compared(["extracted", "copied"], folder, "postgresql", events, rounds)
    finally:
        server.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", default=",".join(WRITTEN))
    parser.add_argument("--postgresql", action="store_true", help="with Debian's PostgreSQL, as make acceptance has it")
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contend:
        name, folder, kind = given.contend
        contend(name, Path(folder), kind)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "accounts.csv").write_text("account_id,since\nA1,2026-01-01\n", encoding="utf-8")
        for kind in given.formats.split(","):
            make(folder, kind, given.events)
            compared(["loaded", "bare"], folder, kind, given.events, given.rounds)
            shutil.rmtree(folder / kind)
        if given.postgresql:
            of_postgresql(folder, given.events, given.rounds)


if __name__ == "__main__":
    main()
