"""Readers in processes of their own query the published mart without a pause while it is published again and again."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb

from dagster_project.destinations.mart import publish_mart
from tests.marts_fixture import build_warehouse

PUBLISHES = 10
ACCOUNTS, DAYS = 30, 30

# Opens the mart, reads every table, closes it, over and over until the stop file is there. Prints, as JSON, how
# often it read, every error, and for each read that did not find one single generation and all its rows, what it found.
READER = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    import duckdb

    mart, stop, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    tables = "current_health dim_accounts dim_scorecards fct_breaches fct_health_scores fct_measure_scores".split()
    # Not min and max: those DuckDB answers from statistics, without reading a row.
    figures = "select list_sort(list(distinct generation // 100000)), count(*) from "
    reads, errors, mixtures, generations = 0, [], [], set()

    def look():
        if kind == "duckdb":
            with duckdb.connect(str(mart), read_only=True) as con:
                # Tables first and last in one connection: it must stay with the version it opened.
                return [con.execute(f"{figures} marts.{table}").fetchone() for table in [*tables, tables[0]]]
        # Whoever reads several files resolves `current` once and stays in that version.
        folder = (mart.parent / "parquet" / "current").resolve(strict=True)
        return [duckdb.execute(f"{figures} '{folder / table}/*.parquet'").fetchone() for table in [*tables, tables[0]]]

    print("ready", flush=True)
    while True:
        last = stop.exists()
        try:
            found = look()
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        else:
            reads += 1
            seen = {value for values, _ in found for value in values}
            if len(seen) != 1 or not all(rows for _, rows in found):
                mixtures.append(found)
            generations |= seen
        if last:
            break
    print(json.dumps({"reads": reads, "errors": errors, "mixtures": mixtures, "generations": sorted(generations)}))
""")


def test_readers_see_no_error_and_no_mixture_during_ten_publishes(tmp_path: Path) -> None:
    folder, stop = tmp_path / "published", tmp_path / "stop"
    warehouse = build_warehouse(tmp_path / "warehouse.duckdb", accounts=ACCOUNTS, days=DAYS, generation=0)
    bump_generation(warehouse, 0)
    mart = publish_mart(warehouse, folder).path
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(mart), str(stop), kind], stdout=subprocess.PIPE, text=True)
        for kind in ("duckdb", "parquet")
    ]
    holder = duckdb.connect(str(mart), read_only=True)  # opened before the first publish, read after the last
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for generation in range(1, PUBLISHES + 1):
            bump_generation(warehouse, generation)
            assert publish_mart(warehouse, folder).changed
        old = holder.execute("select generation // 100000, count(*) from marts.fct_health_scores group by 1").fetchall()
        assert old == [(0, (ACCOUNTS + 1) * DAYS)]
    finally:
        holder.close()
        stop.touch()
        reports = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    for report in reports:
        assert report["errors"] == []
        assert report["mixtures"] == []
        assert report["reads"] > PUBLISHES
        assert len(report["generations"]) > 2
        assert report["generations"][-1] == PUBLISHES


def bump_generation(warehouse: Path, generation: int) -> None:
    """Changes every row of every mart, as a run might: the generation, and a figure of the row behind it.

    With one value for all rows the column would be stored as a note about itself, and a torn file might not show.
    """
    with duckdb.connect(str(warehouse)) as con:
        for (table,) in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall():
            con.execute(f"update marts.{table} set generation = {generation} * 100000 + rowid * 7919 % 100000")
