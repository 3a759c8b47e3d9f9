"""The code location, loaded once in this process, and beside it in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from dagster_project.components import common
from tests.defs.locations import Location, company


def _live(document: dict[str, Any]) -> None:
    document["timezone"] = "America/New_York"
    document["days"] = {"first": "2026-07-01"}
    document["schedule"] = {"enabled": True, "at": "02:30", "timezone": "UTC"}


def _mistaken(document: dict[str, Any]) -> None:
    columns = document["sources"]["files"]["entities"]["tickets"]["columns"]
    columns["severty"] = columns.pop("severity")


def _billed(document: dict[str, Any]) -> None:
    match = {"by": ["external_id"], "external_id": "metadata.account_id"}
    document["sources"]["stripe"] = {"api_key": "env:STRIPE_API_KEY", "match": match}
    document["write_back"] = {"enabled": True, "stripe": {"fields": {"health_score": "score"}}}


COMPANIES = {"sample": lambda _: None, "live": _live, "mistaken": _mistaken, "billed": _billed}


@pytest.fixture(scope="session")
def locations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Location]:
    """All started at once, so that the tests wait for the slowest only."""
    folder = tmp_path_factory.mktemp("locations")
    how = {"sample": "served", "live": "described", "mistaken": "served", "billed": "served"}
    return {name: Location(how[name], company(folder / name, change)) for name, change in COMPANIES.items()}


@pytest.fixture(scope="session")
def served(locations: dict[str, Location]) -> dict[str, Any]:
    return locations["sample"].result()


@pytest.fixture(scope="session")
def live(locations: dict[str, Location]) -> dict[str, Any]:
    """A company with a live source in New York, whose schedule is on and kept in UTC."""
    return locations["live"].result()


@pytest.fixture(scope="session")
def mistaken(locations: dict[str, Location]) -> dict[str, Any]:
    return locations["mistaken"].result()


@pytest.fixture(scope="session")
def billed(locations: dict[str, Location]) -> dict[str, Any]:
    """A company that reads Stripe, too, and writes back to it; loading the code must not need its key."""
    return locations["billed"].result()


@pytest.fixture(scope="session")
def definitions(locations: dict[str, Location], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    """The sample company's definitions; loading them sets variables for dbt, which no other test may inherit."""
    from dagster_project.definitions import defs

    before = dict(os.environ)
    os.environ["HEALTH_CONFIG"] = str(company(tmp_path_factory.mktemp("definitions")))
    common.settings.cache_clear()
    common.daily_partitions.cache_clear()
    try:
        yield defs()
    finally:
        common.settings.cache_clear()
        common.daily_partitions.cache_clear()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def graph(definitions: dg.Definitions) -> Any:
    return definitions.resolve_asset_graph()
