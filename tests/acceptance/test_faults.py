"""Every provider against a server that answers with faults before each page: no row lost, none twice.

The server is WireMock; what it holds stands in held_pages.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from dagster_project import http_client
from dagster_project.connectors import providers
from dagster_project.http_client import ATTEMPTS, Client, ProviderError
from dagster_project.provider_settings import PROVIDERS
from dagster_project.settings import Settings, load_settings
from tests.acceptance.fault_server import FAULTS, RETRY_AFTER, FaultServer, Page, fault_server
from tests.acceptance.held_pages import NOW, SERVED, Held

pytestmark = pytest.mark.acceptance

EARLY, LATE = datetime(2026, 5, 28, 6, 0), datetime(2026, 5, 29, 6, 0)


class Company:
    """Loads one provider into a warehouse in memory, and notes how long its client was asked to wait."""

    def __init__(self, folder: Path, provider: str, held: Held, url: str) -> None:
        self.folder, self.provider, self.source = folder, provider, {**held.source, "url": url}
        self.con = duckdb.connect()
        self.waits: list[float] = []

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

    def load(self, at: datetime, now: int) -> int:
        """Returns the number of requests."""
        return providers.load_provider(self.con, self.settings, self.provider, at, now)[1]

    def rows(self, table: str) -> list[str]:
        return [row[0] for row in self.con.execute(f"select id from raw_{self.provider}.{table}").fetchall()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with fault_server(tmp_path_factory.mktemp("wiremock")) as started:
        yield started


@pytest.fixture(params=SERVED)
def held(request: pytest.FixtureRequest) -> tuple[str, Held]:
    return request.param, SERVED[request.param]()


@pytest.fixture
def company(
    held: tuple[str, Held], server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    """Its client waits half a second for an answer, and between attempts not at all: what it would wait is noted."""
    provider, pages = held
    monkeypatch.setenv("PROVIDER_KEY", "key_for_tests")
    if pages.size is not None:
        monkeypatch.setattr(providers.module_of(provider), "PAGE", pages.size)
    made = Company(tmp_path, provider, pages, server.url)
    regular = Client.__post_init__

    def impatient(client: Client) -> None:
        regular(client)
        client.timeouts, client.sleep = (5.0, 0.4), made.waits.append

    monkeypatch.setattr(http_client.Client, "__post_init__", impatient)
    yield made
    made.con.close()


def in_turn(pages: list[Page]) -> dict[int, list[str]]:
    """Two faults before each page, all kinds in turn; of those that cost the client its time, few."""
    kinds = [name for name in FAULTS if name != "late"]
    found = {number: [kinds[number % 6], kinds[(number + 2) % 6]] for number in range(len(pages))}
    return {**found, 1: ["late", "429"]}


def test_no_row_is_lost_and_none_comes_twice(held: tuple[str, Held], company: Company, server: FaultServer) -> None:
    _, pages = held
    server.serve(pages.first, in_turn(pages.first))
    calls = company.load(EARLY, NOW)
    assert server.unknown() == []
    assert calls >= 3 * len(pages.first), "two faults and the page"
    assert company.waits.count(RETRY_AFTER) >= 2
    for table, ids in pages.ids.items():
        assert sorted(company.rows(table)) == sorted(ids), table

    server.serve(pages.later, in_turn(pages.later))
    company.load(LATE, NOW + 3600)
    assert server.unknown() == []
    for table, ids in pages.ids.items():
        changed = {one for name, one in pages.changed if name == table}
        assert sorted(company.rows(table)) == sorted([*ids, *changed]), table


@pytest.mark.parametrize("fault", ["500", "truncated", "reset"])
def test_a_load_that_was_cut_off_goes_on_where_it_was(
    held: tuple[str, Held], company: Company, server: FaultServer, fault: str
) -> None:
    _, pages = held
    broken = len(pages.first) // 2
    server.serve(pages.first, {broken: [fault] * ATTEMPTS})
    with pytest.raises(ProviderError, match=f"failed {ATTEMPTS} times"):
        company.load(EARLY, NOW)
    server.serve([*pages.first, *pages.again], {})
    assert company.load(EARLY, NOW + 1) < len(pages.first), "what was there is not asked for again"
    for table, ids in pages.ids.items():
        assert sorted(company.rows(table)) == sorted(ids), table


def test_a_cursor_that_leads_back_ends_with_an_error(
    held: tuple[str, Held], company: Company, server: FaultServer
) -> None:
    _, pages = held
    server.serve(pages.circle, {})
    with pytest.raises(ProviderError, match=r"never end"):
        company.load(EARLY, NOW)
    assert len(server.asked()) <= len(pages.circle) + 5
    for table in pages.ids:
        assert len(company.rows(table)) == len(set(company.rows(table)))


def test_every_provider_is_tried() -> None:
    assert set(SERVED) == set(PROVIDERS), "write what its server holds, as pages, and add it to SERVED"
