"""The providers that are called over their API: their parts of `sources` in config/pipeline.yml."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

from dagster_project.config_file import ConfigError, KeyPath, mapping, sequence
from dagster_project.config_types import Name, Number, Place, Strict, Text, Whole, refuse, show

_VARIABLE = "env:[A-Z_][A-Z0-9_]*"
_FIELD = r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*"


def _secret(value: object) -> str:
    """The name of a variable. What stands there instead is never shown: it may be the key itself."""
    if not isinstance(value, str) or not re.fullmatch(_VARIABLE, value):
        raise refuse("should name an environment variable, as in env:STRIPE_API_KEY; a key never stands in this file")
    return value


def _field(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_FIELD, value):
        raise refuse(f"should be a field of the provider's customer, such as metadata.account_id; is {show(value)}")
    return value


def _form_id(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9]+", value):
        raise refuse(f"should be the id of a form, as in its address; is {show(value)}")
    return value


def _kept(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_FIELD, value):
        raise refuse(f"should be a field of the provider's object, such as metadata.tier; is {show(value)}")
    return value


def _address(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^/?#@\s]+", value):
        raise refuse("should be an address without a path or a password, such as https://api.stripe.com")
    if value.startswith("http://") and not re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|$)", value):
        raise refuse(f"{show(value)} would send the key in the open; legal: https://")
    return value


Secret = Annotated[
    str, BeforeValidator(_secret, json_schema_input_type=Annotated[str, Field(pattern=f"^{_VARIABLE}$")])
]
FieldPath = Annotated[str, BeforeValidator(_field)]
KeptPath = Annotated[str, BeforeValidator(_kept)]
FormId = Annotated[str, BeforeValidator(_form_id)]
Address = Annotated[str, BeforeValidator(_address)]
SALESFORCE_TOKEN = "/services/oauth2/token"
SALESFORCE_DATA = "/services/data/v62.0"  # its API, in the version that all calls are of
Rule = Literal["mapping", "external_id", "domain", "email_domain"]


class MissingKeyError(Exception):
    """The environment does not hold a key that config names."""


class Match(Strict):
    """How a provider's customer is matched to an account: the rules in order, the first that finds one account wins.

    `mapping` is a CSV file with the columns customer and account_id; `external_id` and `domain` name fields of the
    customer; `email_domain` compares the domain of the customer's address with the accounts'.
    """

    by: Annotated[tuple[Rule, ...], Field(min_length=1)]
    mapping: Place | None = None
    external_id: FieldPath | None = None
    domain: FieldPath | None = None
    warn_share: Annotated[Number, Field(ge=0, le=1)] = 0.05


class CrmAccounts(Strict):
    """Fields of a CRM's company that make it an account; `only` lists fields and the values that a customer's have."""

    account_id: FieldPath | None = None
    name: FieldPath | None = None
    segment: FieldPath | None = None
    plan: FieldPath | None = None
    lifecycle_stage: FieldPath | None = None
    industry: FieldPath | None = None
    region: FieldPath | None = None
    owner: FieldPath | None = None
    parent_account_id: FieldPath | None = None
    arr: FieldPath | None = None
    seats: FieldPath | None = None
    priority: FieldPath | None = None
    created_on: FieldPath | None = None
    renewal_on: FieldPath | None = None
    notice_days: FieldPath | None = None
    ended_on: FieldPath | None = None
    domain: FieldPath | None = None
    only: dict[FieldPath, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(default_factory=dict)


class ApiSource(Strict):
    """What every provider has. `keep` lists further fields of its objects, by raw table, that are to be stored."""

    keep: dict[Name, Annotated[tuple[KeptPath, ...], Field(min_length=1)]] = Field(default_factory=dict)


class PosthogSource(ApiSource):
    """PostHog. Fields that `match` names are HogQL: properties.account_id, person.properties.plan, group_0.key.

    `email` is where the address of a person stands, for the rule email_domain. `events` limits what is read.
    """

    api_key: Secret
    project: Annotated[Whole, Field(ge=1)]
    match: Match
    url: Address = "https://us.posthog.com"
    email: FieldPath = "person.properties.email"
    events: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class SalesforceSource(ApiSource):
    """Salesforce. Fields that `match` and `accounts` name are those of its accounts, such as Type or Owner.Name."""

    client_id: Secret
    client_secret: Secret
    match: Match
    accounts: CrmAccounts | None = None
    url: Address
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class StripeSource(ApiSource):
    """Stripe. `look_back_minutes` is how far before the newest change seen the next run asks again."""

    api_key: Secret
    match: Match
    url: Address = "https://api.stripe.com"
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class TypeformForm(Strict):
    """A form: the question whose answer is the score, by its reference or id; what it measures; the highest answer."""

    kind: Literal["nps", "csat", "ces"]
    score: Text
    scale: Annotated[Whole, Field(ge=2, le=100)] | None = None


class TypeformSource(ApiSource):
    """Typeform. Fields that `match`, `user_id` and `email` name are hidden fields: hidden.account_id."""

    api_key: Secret
    forms: Annotated[dict[FormId, TypeformForm], Field(min_length=1)]
    match: Match
    url: Address = "https://api.typeform.com"
    user_id: FieldPath | None = None
    email: FieldPath | None = None
    look_back_minutes: Annotated[Whole, Field(ge=30, le=1440)] = 60


class ZendeskSource(ApiSource):
    """Zendesk. `user` and `api_key` name the variables with an agent's address and an API token of the account."""

    user: Secret
    api_key: Secret
    match: Match
    url: Address
    look_back_minutes: Annotated[Whole, Field(ge=2, le=1440)] = 60


class FreshdeskSource(ApiSource):
    """Freshdesk. Fields that `match` names are those of its companies, such as custom_fields.customer_no."""

    api_key: Secret
    match: Match
    url: Address
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class HubspotSource(ApiSource):
    """HubSpot. Fields that `match` and `accounts` name are properties of its companies.

    `csat_scale` is how CSAT surveys are answered: 3 for its three faces, which it counts 0 to 2; 5 for one to five.
    """

    api_key: Secret
    match: Match
    url: Address = "https://api.hubapi.com"
    csat_scale: Literal[3, 5] = 3
    accounts: CrmAccounts | None = None
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class ChargebeeSource(ApiSource):
    """Chargebee. Fields that `match` names are those of its customers, such as cf_account_id."""

    api_key: Secret
    match: Match
    url: Address
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class DelightedSource(ApiSource):
    """Delighted. Fields that `match` names are properties of its people."""

    api_key: Secret
    match: Match
    url: Address = "https://api.delighted.com"
    look_back_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 60


class IntercomSource(ApiSource):
    """Intercom. `url` is another one for workspaces in Europe and Australia.

    Its search knows days only, and finds what is new some minutes late: at midnight a look-back of a day is too short.
    """

    api_key: Secret
    match: Match
    url: Address = "https://api.intercom.io"
    look_back_minutes: Annotated[Whole, Field(ge=2880, le=10_080)] = 2880


ProviderSource = (
    ChargebeeSource
    | DelightedSource
    | FreshdeskSource
    | HubspotSource
    | IntercomSource
    | PosthogSource
    | SalesforceSource
    | StripeSource
    | TypeformSource
    | ZendeskSource
)

# Each a key of `sources`, a module of connectors/ and a folder of dbt_project/models/staging/.
PROVIDERS: dict[str, type[ProviderSource]] = {
    "chargebee": ChargebeeSource,
    "delighted": DelightedSource,
    "freshdesk": FreshdeskSource,
    "hubspot": HubspotSource,
    "intercom": IntercomSource,
    "posthog": PosthogSource,
    "salesforce": SalesforceSource,
    "stripe": StripeSource,
    "typeform": TypeformSource,
    "zendesk": ZendeskSource,
}


def check_providers(sources: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What holds between the keys of a provider: each rule of `match.by` has what it needs."""
    for name in PROVIDERS:
        match = mapping(mapping(sources.get(name)).get("match"))
        rules = [rule for rule in sequence(match.get("by")) if isinstance(rule, str)]
        for rule in ("mapping", "external_id", "domain"):
            path: KeyPath = ("sources", name, "match")
            if rule in rules and match.get(rule) is None:
                yield path, f"'{rule}' is missing: `by` lists it"
            if rule not in rules and match.get(rule) is not None:
                yield (*path, rule), f"is not used: add {rule} to `by`, or leave it out"
        for rule in sorted({rule for rule in rules if rules.count(rule) > 1}):
            yield ("sources", name, "match", "by"), f"{show(rule)} stands here twice; once is enough"


def is_secret(field: FieldInfo) -> bool:
    """Whether a key of config names a variable that holds a secret."""
    return field.metadata == list(get_args(Secret)[1:])


def key_of(secret: str, environ: Mapping[str, str] | None = None) -> str:
    """The key itself, from the environment. Raises MissingKeyError, which names the variable."""
    variable = secret.removeprefix("env:")
    key = (os.environ if environ is None else environ).get(variable, "").strip()
    if not key:
        raise MissingKeyError(f"the environment variable {variable} is not set; pipeline.yml names it for a key")
    return key


def read_customer_map(path: Path) -> list[tuple[str, str]]:
    """(customer, account) of a mapping table. Raises ConfigError: no such file, other columns, a customer twice."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({type(error).__name__}); `match.mapping` names it"]) from error
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        customer, account = (row.get("customer") or "").strip(), (row.get("account_id") or "").strip()
        if not customer or not account:
            raise ConfigError(
                [f"{path}:{line}: needs a customer and an account_id; the header is `customer,account_id`"]
            )
        if found.setdefault(customer, account) != account:
            raise ConfigError([f"{path}:{line}: {customer} stands here for two accounts; keep one"])
    return sorted(found.items())
