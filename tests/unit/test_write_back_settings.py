"""`write_back` in pipeline.yml: what is refused, with its line and what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.settings import ConfigError, Settings, load_settings

MATCH = {"by": ["external_id", "domain"], "external_id": "customer_no", "domain": "Site"}
SOURCES: dict[str, Any] = {
    "hubspot": {"api_key": "env:KEY", "match": MATCH, "accounts": {"arr": "annualrevenue", "only": {"stage": ["won"]}},
                "keep": {"companies": ["properties.tier"]}},
    "salesforce": {"client_id": "env:KEY", "client_secret": "env:KEY", "url": "https://x.example", "match": MATCH},
    "stripe": {"api_key": "env:KEY", "match": {"by": ["external_id"], "external_id": "metadata.account_id"}},
}  # fmt: skip
FIELDS = {"fields": {"health": "score"}}


def read(folder: Path, write_back: Any, **sources: Any) -> Settings:
    files = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    given = {"files": {"folder": "landing", "entities": {"accounts": files}}, **SOURCES, **sources}
    document = {
        "company": "Acme", "home": "var/acme", "days": {"first": "2026-01-01"},
        "sources": {name: one for name, one in given.items() if one is not None},
        **({} if write_back is None else {"write_back": write_back}),
    }  # fmt: skip
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_settings(path, {})


def test_nothing_is_written_back_unless_it_is_turned_on(tmp_path: Path) -> None:
    assert read(tmp_path, None).write_back.enabled is False
    off = read(tmp_path, {"hubspot": FIELDS}).write_back
    assert (off.enabled, list(off.targets)) == (False, ["hubspot"])
    on = read(tmp_path, {"enabled": True, "stripe": FIELDS, "hubspot": FIELDS}).write_back
    assert (on.enabled, list(on.targets)) == (True, ["hubspot", "stripe"])


MISTAKES: dict[str, tuple[Any, str]] = {
    "a value": ({"hubspot": {"fields": {"health": "scor"}}}, "write_back.hubspot.fields.health: 'scor' is not legal; "
                "did you mean 'score'? legal: score, band, change, drivers, day, status"),
    "a field": ({"hubspot": {"fields": {"Health score": "score"}}}, "write_back.hubspot.fields.Health score: should be "
                "the API name of a field"),
    "no field": ({"hubspot": {"fields": {}}}, "write_back.hubspot.fields: should have at least 1 entries"),
    "a target": ({"hubspott": FIELDS}, "write_back.hubspott: unknown key; did you mean 'hubspot'?"),
    "on, and no target": ({"enabled": True}, "write_back: names no target; legal: hubspot, salesforce, stripe"),
    "enabled": ({"enabled": "yes", "stripe": FIELDS}, "write_back.enabled: should be true or false"),
    "what a column is made of": ({"hubspot": {"fields": {"annualrevenue": "score"}}}, "write_back.hubspot.fields."
                                 "annualrevenue: is read as sources.hubspot.accounts.arr; write to a field of its own"),
    "what judges": ({"hubspot": {"fields": {"stage": "band"}}}, "is read as sources.hubspot.accounts.only"),
    "what is kept": ({"hubspot": {"fields": {"tier": "band"}}}, "is read as sources.hubspot.keep.companies"),
    "what matches": ({"stripe": {"fields": {"account_id": "band"}}}, "is read as sources.stripe.match.external_id"),
    "too long": ({"stripe": {"fields": {"h" * 41: "band"}}}, "has 41 characters; Stripe takes 40"),
    "a field that may not find": ({"salesforce": {**FIELDS, "external_id": "customer_no"}}, "write_back.salesforce."
                                  "external_id: 'customer_no' might not find an account, and Salesforce would make"),
    "the id": ({"salesforce": {"fields": {"Id": "score"}}}, "is the external_id; it cannot be written to"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    given, said = MISTAKES[name]
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, given)
    (problem,) = raised.value.problems
    place, _, sentence = problem.partition(": ")
    assert said in sentence
    line = int(place.rpartition(":")[2])
    assert "write_back" in "".join((tmp_path / "pipeline.yml").read_text().splitlines()[line - 6 : line])


def test_the_provider_of_a_target_has_to_be_a_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"write_back.hubspot: sources.hubspot is missing: key, address and who"):
        read(tmp_path, {"hubspot": FIELDS}, hubspot=None)


def test_salesforce_may_find_accounts_by_the_field_that_matched_them(tmp_path: Path) -> None:
    given = {"salesforce": {**FIELDS, "external_id": "No__c"}}
    source = {**SOURCES["salesforce"], "match": {"by": ["external_id"], "external_id": "No__c"}}
    assert read(tmp_path, given, salesforce=source).write_back.targets["salesforce"]


@pytest.mark.parametrize("shape", [7, "x", [], {"salesforce": {"external_id": [], "fields": {"a": []}}}, {"stripe": 7}])
def test_any_shape_is_refused_and_no_stumbling(shape: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, shape)
