"""The warehouse's file: what it is stored as."""

from __future__ import annotations

from pathlib import Path

from dagster_project.settings import load_settings
from dagster_project.warehouse import STORAGE_VERSION, open_warehouse


def test_a_new_warehouse_has_the_storage_version_that_writes_text_quickly(tmp_path: Path) -> None:
    """The version must not be above what the oldest DuckDB that pyproject.toml allows can open."""
    settings = load_settings(environ={}).model_copy(update={"home": tmp_path})
    with open_warehouse(settings) as connection:
        (tags,) = connection.execute("select tags from duckdb_databases() where not internal").fetchone() or ({},)
    assert tags["storage_version"] == f"{STORAGE_VERSION}+"
