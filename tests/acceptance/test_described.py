"""What our connectors ask is what the providers' own API descriptions allow: Prism serves those and refuses the rest.

Prism keeps no state, so each kind of request is sent once; the walks from page to page are tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dagster_project.connectors import hubspot, intercom, providers, zendesk
from dagster_project.destinations.write_back_book import Record
from dagster_project.destinations.write_back_targets import UNSAID, WAYS
from dagster_project.http_client import Client, ProviderError
from dagster_project.provider_settings import HubspotSource, IntercomSource
from dagster_project.settings import Settings, load_settings
from dagster_project.write_back_settings import Target
from tests.acceptance.served_by_prism import served_by_prism

pytestmark = pytest.mark.acceptance

NOW = 1_780_000_000
MATCH = {"by": ["email_domain"]}
HUBSPOT = {"api_key": "env:PROVIDER_KEY", "match": MATCH}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "key_for_tests")
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)


@pytest.fixture(scope="module")
def zendesk_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_by_prism("zendesk.yaml", tmp_path_factory.mktemp("prism") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def intercom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_by_prism("intercom-2.14.yaml", tmp_path_factory.mktemp("prism") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def companies_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_by_prism("hubspot-companies-v3.json", tmp_path_factory.mktemp("prism") / "log", made_up=True) as url:
        yield url


@pytest.fixture(scope="module")
def feedback_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_by_prism("hubspot-feedback-v3.json", tmp_path_factory.mktemp("prism") / "log", made_up=True) as url:
        yield url


def settings_of(folder: Path, url: str) -> Settings:
    accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    document = {
        "company": "Acme", "home": str(folder / "home"), "days": {"first": "2026-01-01"},
        "sources": {
            "files": {"folder": str(folder), "entities": {"accounts": accounts}},
            "zendesk": {"user": "env:PROVIDER_KEY", "api_key": "env:PROVIDER_KEY", "url": url, "match": MATCH},
        },
    }  # fmt: skip
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(document))
    return load_settings(path, {})


def test_zendesk_answers_every_request_of_a_load(zendesk_url: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, zendesk_url)
    with duckdb.connect() as con:
        landed, _ = providers.load_provider(con, settings, "zendesk", datetime(2026, 5, 28, 6), NOW)
        assert landed.by_table == {"organizations": 1, "users": 1, "tickets": 1, "satisfaction_ratings": 2}
        assert landed.rejected == 0
        assert con.execute("select id, email_domain from raw_zendesk.organizations").fetchall() == [
            ("4112492", "remain.com")
        ]
        users = con.execute("select id, organization_id, email_domain from raw_zendesk.users").fetchall()
        assert users == [("35436", "57542", "example.com")]
        tickets = con.execute(
            "select id, organization_id, status, priority, rating from raw_zendesk.tickets"
        ).fetchall()
        assert tickets == [("35436", "509974", "open", "high", "good")]
    assert providers.probe_provider(settings, "zendesk") == "the key is good, there are 102 organizations"


def test_zendesk_as_described_refuses_what_it_does_not_know(zendesk_url: str, tmp_path: Path) -> None:
    source = settings_of(tmp_path, zendesk_url).sources.providers["zendesk"]
    api = zendesk.client(source)
    with pytest.raises(ProviderError):
        api.get("/api/v2/incremental/organizations")  # without the time to begin from
    api.close()


def test_intercom_allows_the_searches_and_the_scroll(intercom_url: str) -> None:
    source = IntercomSource.model_validate({**HUBSPOT, "url": intercom_url})
    api = intercom.client(source)
    assert intercom.probe(api).startswith("the token is good")
    assert isinstance(api.post("/contacts/search", intercom.question(NOW))["data"], list)
    assert api.post("/conversations/search", intercom.question(NOW, after="x"))["conversations"]
    assert api.get("/companies/scroll", {"scroll_param": "x"})["data"]
    unknown = Client("intercom", intercom_url, api.auth, "", headers={"Intercom-Version": "none"})
    with pytest.raises(ProviderError):
        unknown.post("/conversations/search", intercom.question(NOW))
    unknown.close()
    api.close()


def hubspot_client(url: str) -> tuple[HubspotSource, Client]:
    source = HubspotSource.model_validate({**HUBSPOT, "url": url})
    return source, hubspot.client(source)


def a_made_up_row(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A row of a made-up answer. A list that is made up is sometimes empty, so it is asked for up to 50 times."""
    filled = (rows for rows in (ask()["results"] for _ in range(50)) if rows)
    return next(filled)[0]


def test_hubspot_allows_the_search_for_companies(companies_url: str) -> None:
    source, api = hubspot_client(companies_url)
    asked = {**hubspot.question(0, hubspot.properties_of(source)), "after": "0"}
    first = a_made_up_row(lambda: api.post("/crm/v3/objects/companies/search", asked))
    assert {"id", "properties", "updatedAt"} <= set(first)
    assert hubspot.probe(api).startswith("the key is good")
    with pytest.raises(ProviderError):
        api.post("/crm/v3/objects/companies/search", {"limit": 100})
    api.close()


def test_hubspot_allows_what_is_written_to_companies(companies_url: str) -> None:
    source, _ = hubspot_client(companies_url)
    records = [Record("A1", "71", {"health_score": 41.5, "health_band": "red", "health_drivers": None})]
    target, way = Target(fields={"health_score": "score"}), WAYS["hubspot"]
    api = way.connect(source, None)
    assert way.send(api, target, records) == {}
    for wrong in ({"id": "71"}, {"id": 71, "properties": {}}, {"id": "71", "properties": {"health_score": 41.5}}):
        with pytest.raises(ProviderError):
            api.write("POST", "/crm/v3/objects/companies/batch/update", {"inputs": [wrong]})
    api.close()


def test_what_hubspot_says_of_rows_that_it_refuses_is_read(companies_url: str) -> None:
    """The answer 207 is made up: an error names nobody, so the record was not taken; its category is any word."""
    source, _ = hubspot_client(companies_url)
    way, api = WAYS["hubspot"], WAYS["hubspot"].connect(source, None)
    api._session.headers["Prefer"] = "code=207, dynamic=true"
    answers = [way.send(api, None, [Record("A1", "71", {"health_score": 41.5})]) for _ in range(20)]
    api.close()
    refused = [answer for answer in answers if answer]
    assert len(refused) > 5
    assert all(list(one) == ["71"] and (one["71"] == UNSAID or " " not in one["71"]) for one in refused)


def test_hubspot_allows_what_is_asked_of_feedback(feedback_url: str) -> None:
    _, api = hubspot_client(feedback_url)
    path = "/crm/v3/objects/feedback_submissions"
    first = a_made_up_row(lambda: api.get(path, hubspot.FEEDBACK_QUERY | {"limit": "100"}))
    assert {"id", "properties"} <= set(first)
    assert "id" in api.get(f"{path}/1", hubspot.FEEDBACK_QUERY)
    assert "results" in api.post(f"{path}/search", {**hubspot.question(0, ["hs_lastmodifieddate"]), "after": "0"})
    api.close()
