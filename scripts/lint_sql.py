"""Lints dbt_project with sqlfluff's dbt templater, on a scratch warehouse that holds the days of an imaginary run.

A model that dbt cannot compile is skipped by sqlfluff with a warning; here that is a failure.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from dagster_project.run_days import RunDays

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Exit code: 0 if every model and test was linted and is clean."""
    with tempfile.TemporaryDirectory() as scratch:
        warehouse = str(Path(scratch, "lint.duckdb"))
        days = ", ".join(f"date '1970-01-01' as {field.name}" for field in dataclasses.fields(RunDays))
        with duckdb.connect(warehouse) as connection:
            connection.execute("create schema raw_meta")
            connection.execute(f"create table raw_meta.run_days as select {days}")
        sqlfluff = Path(sys.executable).parent / "sqlfluff"
        result = subprocess.run(
            [sqlfluff, "lint", "--disable-progress-bar", *(sys.argv[1:] or ["dbt_project"])],
            cwd=ROOT,
            env=os.environ | {"HEALTH_WAREHOUSE": warehouse, "HEALTH_TEMP": scratch},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in (result.stdout + result.stderr).splitlines() if "because it is a macro" not in line]
    print("\n".join(lines))
    skipped = [line for line in lines if "Skipped file" in line]
    if skipped:
        print(f"sqlfluff skipped {len(skipped)} file(s) that dbt could not compile: see above")
    return 1 if skipped else result.returncode


if __name__ == "__main__":
    sys.exit(main())
