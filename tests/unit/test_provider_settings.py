"""The providers of `sources`: what is refused, and that no key ever shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.provider_settings import PROVIDERS, MissingKeyError, key_of, read_customer_map
from dagster_project.settings import PROJECT_ROOT, ConfigError, Settings, load_settings

STRIPE: dict[str, Any] = {
    "api_key": "env:STRIPE_API_KEY",
    "match": {"by": ["external_id"], "external_id": "metadata.account_id"},
}
PASTED = "sk_live_51Hpasted"


def read(folder: Path, stripe: dict[str, Any] | None, *, files: bool = True) -> Settings:
    accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    sources: dict[str, Any] = {"files": {"folder": "landing", "entities": {"accounts": accounts}}} if files else {}
    if stripe is not None:
        sources["stripe"] = stripe
    document = {"company": "Acme", "home": "var/acme", "days": {"first": "2026-01-01"}, "sources": sources}
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_settings(path, {})


def problems(folder: Path, stripe: dict[str, Any], *, files: bool = True) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(folder, stripe, files=files)
    return [problem.split(": ", 1)[1] for problem in raised.value.problems]


def test_a_provider_is_enabled_by_its_section(tmp_path: Path) -> None:
    assert read(tmp_path, None).sources.providers == {}
    source = read(tmp_path, STRIPE).sources.providers["stripe"]
    assert (source.url, source.look_back_minutes, source.match.warn_share) == ("https://api.stripe.com", 60, 0.05)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "pasted key": (
        {"api_key": PASTED},
        "sources.stripe.api_key: should name an environment variable, as in env:STRIPE_API_KEY; a key never stands",
    ),
    "no key": ({"api_key": None}, "sources.stripe.api_key: should name an environment variable"),
    "plain http": (
        {"url": "http://api.stripe.com"},
        "sources.stripe.url: 'http://api.stripe.com' would send the key in the open; legal: https://",
    ),
    "loopback in another's name": ({"url": "http://localhost.example.com"}, "sources.stripe.url: "),
    "password in the address": ({"url": f"https://me:{PASTED}@x"}, "sources.stripe.url: should be an address without"),
    "no rule": ({"match": {"by": []}}, "sources.stripe.match.by: "),
    "unknown rule": ({"match": {"by": ["name"]}}, "sources.stripe.match.by[0]: 'name' is not legal"),
    "rule without its field": (
        {"match": {"by": ["domain"]}},
        "sources.stripe.match: 'domain' is missing: `by` lists it",
    ),
    "field without its rule": (
        {"match": {"by": ["email_domain"], "external_id": "metadata.id"}},
        "sources.stripe.match.external_id: is not used: add external_id to `by`, or leave it out",
    ),
    "rule twice": (
        {"match": {"by": ["email_domain", "email_domain"]}},
        "sources.stripe.match.by: 'email_domain' stands here twice",
    ),
    "field that is SQL": (
        {"match": {"by": ["external_id"], "external_id": "a' or 1=1"}},
        "sources.stripe.match.external_id: should be a field of the provider's customer",
    ),
    "share": (
        {"match": {"by": ["email_domain"], "warn_share": 5}},
        "sources.stripe.match.warn_share: ",
    ),
    "look-back": ({"look_back_minutes": 0}, "sources.stripe.look_back_minutes: "),
    "unknown key": ({"apikey": "env:X"}, "sources.stripe.apikey: unknown key"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_and_no_key_is_shown(tmp_path: Path, name: str) -> None:
    change, sentence = MISTAKES[name]
    found = problems(tmp_path, STRIPE | change)
    assert [problem for problem in found if problem.startswith(sentence)], found
    assert PASTED not in "".join(found)


def test_accounts_come_from_files(tmp_path: Path) -> None:
    assert problems(tmp_path, STRIPE, files=False) == [
        "sources: 'files' is missing: it holds the accounts, and without them there is nobody to score; or a CRM gives "
        "them, as in `hubspot: {accounts: {...}}`"
    ]


def test_a_crm_may_give_the_accounts(tmp_path: Path) -> None:
    def load(accounts: dict[str, Any]) -> Settings:
        hubspot = {"api_key": "env:KEY", "match": {"by": ["mapping"], "mapping": "map.csv"}, "accounts": accounts}
        document = {"company": "Acme", "home": "home", "days": {"first": "2026-01-01"}, "sources": {"hubspot": hubspot}}
        (tmp_path / "pipeline.yml").write_text(yaml.safe_dump(document))
        return load_settings(tmp_path / "pipeline.yml", {})

    loaded = load({"arr": "annualrevenue", "only": {"lifecyclestage": ["customer"]}}).sources
    assert loaded.files is None
    assert loaded.providers["hubspot"].match.mapping == PROJECT_ROOT / "map.csv"
    with pytest.raises(ConfigError, match=r"sources.hubspot.accounts.arrr: unknown key; did you mean 'arr'"):
        load({"arrr": "annualrevenue"})


def test_a_key_is_read_when_it_is_used() -> None:
    assert key_of("env:STRIPE_API_KEY", {"STRIPE_API_KEY": " abc\n"}) == "abc"
    with pytest.raises(MissingKeyError, match="STRIPE_API_KEY is not set"):
        key_of("env:STRIPE_API_KEY", {})


def test_a_mapping_table_is_read_beside_the_project(tmp_path: Path) -> None:
    match = {"by": ["mapping"], "mapping": "config/customers.csv"}
    settings = read(tmp_path, STRIPE | {"match": match})
    assert settings.sources.providers["stripe"].match.mapping == PROJECT_ROOT / "config" / "customers.csv"
    path = tmp_path / "customers.csv"
    path.write_text("customer,account_id\ncus_2,A2\ncus_1, A1\ncus_1,A1\n", encoding="utf-8-sig")
    assert read_customer_map(path) == [("cus_1", "A1"), ("cus_2", "A2")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer,account_id\ncus_1,\n", ":2: needs a customer and an account_id"),
        ("id,account\ncus_1,A1\n", ":2: needs a customer and an account_id"),
        ("customer,account_id\ncus_1,A1\ncus_1,A2\n", ":3: cus_1 stands here for two accounts"),
        (None, "cannot be read"),
    ],
)
def test_a_faulty_mapping_table_is_told(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "customers.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_customer_map(path)


def test_rules_of_matching_change_the_inputs_and_places_do_not(tmp_path: Path) -> None:
    alone, first = read(tmp_path, None).content_hash, read(tmp_path, STRIPE).content_hash
    other = read(tmp_path, STRIPE | {"match": {"by": ["email_domain"]}}).content_hash
    moved = read(tmp_path, STRIPE | {"url": "https://stripe.example.com", "look_back_minutes": 5}).content_hash
    assert len({alone, first, other}) == 3
    assert moved == first


def test_every_provider_has_its_module_and_its_staging() -> None:
    for name in PROVIDERS:
        assert (PROJECT_ROOT / "dagster_project" / "connectors" / f"{name}.py").is_file()
        assert (PROJECT_ROOT / "dbt_project" / "models" / "staging" / name / "_sources.yml").is_file()
