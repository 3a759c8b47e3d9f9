"""The reference: one SQL script for DuckDB alone. `--day FILE` is one more day over the facts that a run has kept."""

import sys
from pathlib import Path

import duckdb

from benchmarks.contenders import given

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "2GB",
    "preserve_insertion_order": False,
}


def run(script: str, database: Path, scores: str, names: dict[str, object]) -> None:
    """Run a script of this folder on the kept facts, then write the scores of its last day or days."""
    text = Path(__file__).with_name(script).read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", str(value))
    with duckdb.connect(str(database), config=SETTINGS) as connection:
        connection.execute("set temp_directory = ?", [str(database.parent / "tmp")])
        for statement in duckdb.extract_statements(text):
            connection.execute(statement)
        connection.execute(
            f"copy (from scores where day >= '{names['first']}') to '{scores}' (format parquet, compression zstd)"
        )


if __name__ == "__main__":
    usage = sys.argv.pop() if "--day" in sys.argv else None
    if usage is not None:
        sys.argv.remove("--day")
    task = given()
    names: dict[str, object] = {"landing": task.landing, "first": task.first, "last": task.last}
    if usage is None:
        run("reference.sql", task.output / "facts.duckdb", task.scores, names)
    else:
        run("reference_day.sql", task.output / "facts.duckdb", task.scores, names | {"day": task.last, "usage": usage})
