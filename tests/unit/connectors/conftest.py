"""A company on paper: a folder of files, a pipeline.yml that maps them, and a real DuckDB to load them into."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dagster_project.connectors.files import LoadResult, load_entity, prepare
from dagster_project.settings import load_settings

LOADED_AT = datetime(2026, 7, 1, 6, 0)

ACCOUNTS = {"files": "accounts*.csv", "columns": {"account_id": "id", "created_on": "since"}}


class World:
    """Writes files and config into a folder, loads entities, and asks what came of it."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder / "landing"
        self.folder.mkdir()
        self.con = con
        self.top: dict[str, Any] = {"timezone": "UTC"}
        self.source: dict[str, Any] = {}
        self.entities: dict[str, Any] = {"accounts": ACCOUNTS}
        self._config = folder / "pipeline.yml"
        self._home = folder / "home"
        self._clock = 1_700_000_000_000_000_000

    def map(self, entity: str, files: str | list[str], columns: dict[str, Any], **more: Any) -> None:
        self.entities[entity] = {"files": files, "columns": columns, **more}

    def write(self, name: str, content: str | bytes, newline: str = "\n") -> Path:
        """Write a file, each time with a later modification time, so that no test depends on the clock."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.replace("\n", newline).encode())
        self.touch(path)
        return path

    def touch(self, path: Path) -> None:
        self._clock += 1_000_000_000
        os.utime(path, ns=(self._clock, self._clock))

    def load(self, entity: str, at: datetime = LOADED_AT) -> LoadResult:
        files = {"folder": str(self.folder), "entities": self.entities, **self.source}
        document = {
            "company": "Acme",
            "home": str(self._home),
            "days": {"first": "2026-01-01", "last": "2026-06-30"},
            "sources": {"files": files},
            **self.top,
        }
        self._config.write_text(yaml.safe_dump(document), encoding="utf-8")
        result = load_entity(self.con, load_settings(self._config, {}), entity, at)
        assert result.rows_read == result.rows_accepted + result.rows_rejected
        assert sum(result.rejected_by_reason.values()) == result.rows_rejected
        assert self.temporary() == []
        return result

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def column(self, sql: str) -> list[Any]:
        return [value for (value,) in self.rows(sql)]

    def rejected(self) -> list[tuple[Any, ...]]:
        """(file, line, column, reason, value) of all quarantined rows in order."""
        return self.rows(
            "select file, line, column_name, reason, value from raw_quarantine.rejected_rows "
            "order by entity, file, line"
        )

    def open_days(self, entity: str) -> list[str]:
        return self.column(f"select day::varchar from raw_meta.open_days where entity = '{entity}' order by day")

    def forget_open_days(self) -> None:
        self.con.execute("delete from raw_meta.open_days")

    def temporary(self) -> list[str]:
        return self.column("select table_name from duckdb_tables() where temporary")

    def everything(self, entity: str) -> list[list[tuple[Any, ...]]]:
        """All tables that a load of this entity may change."""
        tables = [f"raw_files.{entity}", "raw_quarantine.rejected_rows", "raw_meta.loaded_files", "raw_meta.open_days"]
        return [self.rows(f"select * from {table} order by all") for table in tables]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    con = duckdb.connect(config={"threads": 2})
    prepare(con)
    yield World(tmp_path, con)
    con.close()
