"""`health init`: asks a few questions, or takes their answers as options, and writes a first pipeline.yml."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import typer
import yaml

from dagster_project.config_file import ConfigError
from dagster_project.entities import ENTITIES
from dagster_project.provider_settings import PROVIDERS, CrmAccounts, is_secret
from dagster_project.settings import load_settings

Ask = Callable[[str], str]

# What the columns of accounts are often called; the first that a file has is taken.
_CALLED: dict[str, tuple[str, ...]] = {
    "account_id": ("account_id", "id", "customer_id", "company_id", "accountid"),
    "created_on": ("created_on", "customer_since", "created_at", "created", "signup_date", "start_date", "since"),
    "name": ("name", "account_name", "company", "company_name", "customer"),
    "segment": ("segment", "size", "tier", "market"),
    "plan": ("plan", "plan_tier", "product", "subscription_plan"),
    "lifecycle_stage": ("lifecycle_stage", "stage", "lifecycle"),
    "industry": ("industry", "vertical"),
    "region": ("region", "country"),
    "owner": ("owner", "csm", "account_owner", "customer_success_manager"),
    "arr": ("arr", "arr_usd", "annual_recurring_revenue"),
    "seats": ("seats", "licenses", "seat_count"),
    "renewal_on": ("renewal_on", "renewal_date", "renews_on"),
    "ended_on": ("ended_on", "churned_on", "churn_date", "cancelled_on", "left_on"),
    "domain": ("domain", "website", "email_domain"),
}
_HEADER = """\
# Written by `health init`. Next: health doctor says what is missing; health run loads, scores and publishes.
# docs/reference/pipeline.md explains every key. Secrets are named (env:NAME), never written here.

"""


class InitError(Exception):
    """No config can be written; the text says why and what to do."""


def write_config(
    target: Path,
    company: str,
    timezone: str,
    first: str,
    accounts: Path | None,
    providers: Sequence[str],
    answers: Mapping[str, str],
    ask: Ask,
) -> list[str]:
    """Write `target` and check it; returns the environment variables that have to be set.

    `answers` are those to what a provider needs, by `provider.key`; what is left is asked. Raises InitError.
    """
    if target.exists():
        raise InitError(f"{target} is there already; name another file, or remove it")
    unknown = [name for name in providers if name not in PROVIDERS]
    if unknown:
        raise InitError(f"'{unknown[0]}' is no provider; legal: {', '.join(PROVIDERS)}")
    sources: dict[str, Any] = {"files": _files(accounts, ask)} if accounts else {}
    for name in providers:
        sources[name] = _provider(name, answers, ask, gives_accounts=accounts is None)
    if accounts is None and not any("accounts" in content for content in sources.values()):
        raise InitError("somebody has to be scored: name a file of accounts (--accounts), or hubspot or salesforce")
    document = {
        "company": company, "home": f"var/{target.stem}", "timezone": timezone, "days": {"first": first},
        "sources": sources,
    }  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    try:
        load_settings(target, {})
    except ConfigError as error:
        target.unlink()
        raise InitError(f"these answers make no config:\n{error}") from error
    text = target.read_text(encoding="utf-8")
    return sorted(
        {word.removeprefix("env:") for word in text.split() if word.startswith("env:") and word[4:].isupper()}
    )


def _files(accounts: Path, ask: Ask) -> dict[str, Any]:
    """A folder of files with the one of accounts, its columns guessed by their names; what is needed is asked for."""
    try:
        with accounts.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError) as error:
        raise InitError(f"{accounts}: cannot be read as CSV ({type(error).__name__})") from error
    there = {name.strip().lower(): name for name in header}
    columns = {
        column: there[called]
        for column, names in _CALLED.items()
        for called in [next((name for name in names if name in there), None)]
        if called
    }
    contract = ENTITIES["accounts"].columns
    for column in ("account_id", "created_on"):
        if column not in columns:
            told = ask(f"Which column of {accounts.name} is {contract[column].meaning}? ({', '.join(header)})")
            if told not in header:
                raise InitError(f"{accounts.name} has no column '{told}'; it has {', '.join(header)}")
            columns[column] = told
    return {
        "folder": str(accounts.parent.resolve()),
        "entities": {"accounts": {"files": accounts.name, "columns": columns}},
    }


def _provider(name: str, answers: Mapping[str, str], ask: Ask, *, gives_accounts: bool) -> dict[str, Any]:
    """What the provider needs: keys as variables, the rest from the answers."""
    content: dict[str, Any] = {}
    for key, field in PROVIDERS[name].model_fields.items():
        if key == "match":
            content[key] = {"by": ["email_domain"]}
        elif key == "accounts" and gives_accounts and CrmAccounts in get_args(field.annotation):
            content[key] = {}
        elif field.is_required():
            content[key] = f"env:{name.upper()}_{key.upper()}"
            if not is_secret(field):
                question = f"{name}: {key} (docs/reference/pipeline.md says what it is)"
                content[key] = yaml.safe_load(answers.get(f"{name}.{key}") or ask(question))
    if "accounts" in content:  # its records belong to the company itself
        own = {"hubspot": "hs_object_id", "salesforce": "Id"}[name]
        content["match"] = {"by": ["external_id"], "external_id": own}
    return content


def asked_of(terminal: bool) -> Ask:
    """Questions on the terminal; without one an InitError that names what was left out."""

    def ask(question: str) -> str:
        if not terminal:
            raise InitError(f"{question}: there is no terminal to ask at; give it as an option (health init --help)")
        return str(typer.prompt(question, prompt_suffix=" "))

    return ask
