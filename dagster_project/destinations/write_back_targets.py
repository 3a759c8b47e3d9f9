"""The CRMs that are written to: how many records they take in a call, how they are asked, what their answers say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dagster_project.destinations.write_back_book import Content, Record
from dagster_project.http_client import Basic, Bearer, Client, ProviderError, code_of
from dagster_project.provider_settings import (
    SALESFORCE_DATA,
    SALESFORCE_TOKEN,
    HubspotSource,
    ProviderSource,
    SalesforceSource,
    StripeSource,
    key_of,
)
from dagster_project.write_back_settings import OWN_ID, SalesforceTarget, Target

Refused = dict[str, str]  # customer to the CRM's word for the reason; who is not in it was taken

UNSAID = "no reason given"
_HUBSPOT = "/crm/v3/objects/companies/batch/update"
_SALESFORCE = f"{SALESFORCE_DATA}/composite/sobjects/Account"
_STRIPE_TEXT = 500  # characters that a value of Stripe's metadata may have


@dataclass(frozen=True)
class Way:
    """How a CRM is written to.

    `batch` records a call at most. `connect` gives a client, logged in; it raises ProviderError or MissingKeyError.
    `send` raises BadRequestError or NotFoundError where the CRM refuses all of them at once, else ProviderError.
    """

    batch: int
    connect: Callable[[Any, Mapping[str, str] | None], Client]
    send: Callable[[Client, Any, Sequence[Record]], Refused]


def _hubspot_client(source: HubspotSource, environ: Mapping[str, str] | None) -> Client:
    return _by_key(
        "hubspot", source, source.api_key, "its private app needs the scope crm.objects.companies.write", environ
    )


def _stripe_client(source: StripeSource, environ: Mapping[str, str] | None) -> Client:
    return _by_key("stripe", source, source.api_key, "it needs to write Customers", environ)


def _by_key(name: str, source: ProviderSource, secret: str, needs: str, environ: Mapping[str, str] | None) -> Client:
    variable = secret.removeprefix("env:")
    key = key_of(secret, environ)
    return Client(name, source.url, Bearer(key), wrong_key=f"Check the key in {variable}: to write, {needs}")


def _salesforce_client(source: SalesforceSource, environ: Mapping[str, str] | None) -> Client:
    variables = f"{source.client_id.removeprefix('env:')} and {source.client_secret.removeprefix('env:')}"
    api = Client(
        "salesforce",
        source.url,
        Basic(key_of(source.client_id, environ), key_of(source.client_secret, environ)),
        wrong_key=f"Check {variables}: the run-as user of the connected app has to be allowed to edit accounts",
    )
    try:
        api.log_in(SALESFORCE_TOKEN)
    except ProviderError:
        api.close()
        raise
    return api


def _to_hubspot(api: Client, target: Target, records: Sequence[Record]) -> Refused:  # noqa: ARG001
    """All are taken, but those that an error names; where one names nobody, only those that come back."""
    inputs = [
        {
            "id": one.customer_id,
            "objectWriteTraceId": one.customer_id,  # an error names it
            "properties": {name: _as_text(value) for name, value in one.values.items()},
        }
        for one in records
    ]
    answer = api.write("POST", _HUBSPOT, {"inputs": inputs})
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise ProviderError(f"hubspot: {_HUBSPOT} answered without a list of `results`; check `url`")
    asked = {one.customer_id for one in records}
    refused: Refused = {}
    for error in answer.get("errors") or ():
        reason = code_of(error) or UNSAID
        context = error.get("context") if isinstance(error, dict) else None
        lists = context.values() if isinstance(context, dict) else ()
        named = {str(one) for listed in lists if isinstance(listed, list) for one in listed} & asked
        if not named:
            named = asked - {str(one.get("id")) for one in answer["results"] if isinstance(one, dict)}
        for one in named:
            refused.setdefault(one, reason)
    return refused


def _to_salesforce(api: Client, target: SalesforceTarget, records: Sequence[Record]) -> Refused:
    """The answer has an entry for each record, in order."""
    found_by = target.external_id
    asked = [
        {
            "attributes": {"type": "Account"},
            found_by: one.customer_id if found_by == OWN_ID else one.account_id,
            **one.values,
        }
        for one in records
    ]
    path = f"{_SALESFORCE}/{found_by}"
    answers = api.write("PATCH", path, {"allOrNone": False, "records": asked})
    if not isinstance(answers, list) or len(answers) != len(records) or not all(isinstance(a, dict) for a in answers):
        raise ProviderError(f"salesforce: {path} answered without an entry for each record; check `url`")
    return {
        one.customer_id: code_of(answer.get("errors")) or UNSAID
        for one, answer in zip(records, answers, strict=True)
        if answer.get("success") is not True
    }


def _to_stripe(api: Client, target: Target, records: Sequence[Record]) -> Refused:  # noqa: ARG001
    for one in records:
        form = {f"metadata[{name}]": _cut(_as_text(value)) for name, value in one.values.items()}
        api.write("POST", f"/v1/customers/{quote(one.customer_id, safe='')}", form, form=True)
    return {}


def _as_text(value: Content) -> str:
    """What is not known empties the field."""
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"


def _cut(text: str) -> str:
    return text if len(text) <= _STRIPE_TEXT else text[: _STRIPE_TEXT - 1] + "…"


WAYS: dict[str, Way] = {
    "hubspot": Way(100, _hubspot_client, _to_hubspot),
    "salesforce": Way(200, _salesforce_client, _to_salesforce),
    "stripe": Way(1, _stripe_client, _to_stripe),
}
