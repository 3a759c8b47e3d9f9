"""A company with one provider: its pipeline.yml, a warehouse in memory, and a server that plays the provider."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from scripted_server import Answer, Script

from dagster_project.connectors import providers
from dagster_project.connectors.landing import Landed
from dagster_project.settings import Settings, load_settings

KEY = "key_not_to_be_seen"
NOW = 1_780_000_000  # seconds; 2026-05-28
EARLY, LATE = datetime(2026, 5, 28, 6, 0), datetime(2026, 5, 29, 6, 0)


class Provider(Script):
    """`break_at` answers in place of the nth request."""

    def __init__(self) -> None:
        super().__init__()
        self.break_at: dict[int, Answer] = {}

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        return self.break_at.get(len(self.asked)) or self.told(path, query)

    def told(self, path: str, query: dict[str, str]) -> Answer:
        raise NotImplementedError


class ApiCompany:
    """`source` is what pipeline.yml says of the provider."""

    def __init__(self, folder: Path, provider: str, server: Provider, **source: Any) -> None:
        self.folder, self.provider, self.server = folder, provider, server
        self.source = {"api_key": "env:PROVIDER_KEY", "url": server.url, "match": {"by": ["email_domain"]}, **source}
        self.con = duckdb.connect()

    @property
    def settings(self) -> Settings:
        accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
        files = {"folder": str(self.folder), "entities": {"accounts": accounts}}
        document = {
            "company": "Acme", "home": str(self.folder / "home"), "days": {"first": "2026-01-01"},
            "sources": {"files": files, self.provider: self.source},
        }  # fmt: skip
        path = self.folder / "pipeline.yml"
        path.write_text(yaml.safe_dump(document))
        return load_settings(path, {})

    def load(self, at: datetime = EARLY, now: int = NOW) -> Landed:
        """Load what is new; `server.asked` then holds the requests of this load."""
        self.server.asked.clear()
        self.server.bodies.clear()
        landed, calls = providers.load_provider(self.con, self.settings, self.provider, at, now)
        assert calls == len(self.server.asked)
        return landed

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def stored(self) -> str:
        """All that the warehouse holds of the provider, as text."""
        tables = self.rows(
            f"select table_schema, table_name from information_schema.tables where table_schema = 'raw_{self.provider}'"
        )
        return str([self.rows(f"select * from {schema}.{name}") for schema, name in tables])
