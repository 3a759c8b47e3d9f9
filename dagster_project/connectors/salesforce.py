"""Salesforce into `raw_salesforce.accounts`: the accounts of the CRM, by SOQL, deleted ones too.

What has changed since the newest change seen comes in the order of change, so that a load that was cut off goes on
there. The key is a connected app's, by the client credentials flow; its run-as user needs to read accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, account_columns, is_account, matching, text, time, truth
from dagster_project.http_client import (
    BadRequestError,
    Basic,
    Client,
    ProviderError,
    walk,
)
from dagster_project.provider_settings import (
    SALESFORCE_DATA,
    SALESFORCE_TOKEN,
    CrmAccounts,
    SalesforceSource,
    key_of,
)

PERMISSIONS = "a connected app with the client credentials flow, whose run-as user may use the API and read accounts"
_QUERY = f"{SALESFORCE_DATA}/queryAll"  # with what was deleted
_OWN_ID = "Id"
_ALWAYS = ("Id", "CreatedDate", "SystemModstamp", "IsDeleted", "Website")
_ONLY_ASKED = ("Website", "SystemModstamp")  # what we write back changes the latter, and nothing that we read
_BEGINNING = "1999-01-01T00:00:00Z"  # before Salesforce was


def _accounts(source: SalesforceSource) -> CrmAccounts | None:
    """The fields of config; an account's domain is that of its website where config names no field."""
    given = source.accounts
    return given if given is None or given.domain else given.model_copy(update={"domain": "website_domain"})


def fields_of(source: SalesforceSource) -> list[str]:
    """The fields that are asked for. Config has checked that they are names and dots and nothing else."""
    accounts = source.accounts
    named = [path for column in account_columns(accounts, _OWN_ID).values() for path in column.paths]
    only = list(accounts.only) if accounts else []
    matched_by, _ = matching(source.match)
    asked = [*_ALWAYS, *matched_by, *named, *only, *source.keep.get("accounts", ())]
    return [name for name in dict.fromkeys(asked) if name != "is_account"]


def tables(source: SalesforceSource) -> tuple[RawTable, ...]:
    """The raw table. Only the fields that config names are asked for."""
    _, match = matching(source.match)
    return (
        RawTable(
            "accounts",
            ("id", "is_account", "website_domain", *(name for name in fields_of(source) if name not in _ONLY_ASKED)),
            {
                "id": text("id"),
                "created_at": time("CreatedDate"),
                "is_deleted": truth("IsDeleted"),
                **match,
                "email_domain": text("website_domain"),
                **account_columns(_accounts(source), _OWN_ID),
            },
            opens="accounts",
            judged_by=repr(source.accounts),
        ),
    )


def client(source: SalesforceSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names; it has yet to log in. Raises MissingKeyError."""
    variables = f"{source.client_id.removeprefix('env:')} and {source.client_secret.removeprefix('env:')}"
    return Client(
        "salesforce",
        source.url,
        Basic(key_of(source.client_id, environ), key_of(source.client_secret, environ)),
        wrong_key=f"Check {variables}: they have to be those of {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    api.log_in(SALESFORCE_TOKEN)
    found = api.get(_QUERY, {"q": "select count() from Account"}).get("totalSize")
    return f"the key is good, there are {found} accounts"


def pull(api: Client, source: SalesforceSource, state: State, now: int) -> Iterator[Batch]:  # noqa: ARG001
    """What has changed since `state`, in batches; each carries the state once it is stored."""
    api.log_in(SALESFORCE_TOKEN)
    since = _BEGINNING
    if "accounts" in state:
        since = _soql(datetime.fromisoformat(state["accounts"]) - timedelta(minutes=source.look_back_minutes))
    query = (
        f"select {', '.join(fields_of(source))} from Account where SystemModstamp >= {since} "
        "order by SystemModstamp, Id"
    )

    def fetch(following: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(following) if following else _first(api, query)
        records = page.get("records")
        if not isinstance(records, list) or not all(isinstance(one, dict) and one.get("Id") for one in records):
            raise ProviderError(f"salesforce: {_QUERY} answered without a list of accounts in `records`; check `url`")
        after = page.get("nextRecordsUrl")
        return records, api.path_of(after)[0] if after else None

    for records, _ in walk(f"salesforce: {_QUERY}", None, fetch):
        state = {"accounts": _reached(records[-1])} if records else state
        yield Batch("accounts", [_judged(one, source) for one in records], _QUERY, state)


def _first(api: Client, query: str) -> dict[str, Any]:
    try:
        return api.get(_QUERY, {"q": query})
    except BadRequestError:
        raise ProviderError(
            f"salesforce: {_QUERY} does not know a field that pipeline.yml names (400); asked for: {query}"
        ) from None


def _reached(record: Mapping[str, Any]) -> str:
    """When the record was last changed, as state."""
    try:
        return datetime.fromisoformat(str(record.get("SystemModstamp"))).astimezone(UTC).isoformat()
    except ValueError:
        raise ProviderError(f"salesforce: {_QUERY} gave an account without the time of its last change") from None


def _soql(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judged(account: dict[str, Any], source: SalesforceSource) -> dict[str, Any]:
    """With its id and domain, and whether it is a customer, as config says."""
    website = account.get("Website")
    found = {**account, "id": account["Id"], "website_domain": _host(website) if isinstance(website, str) else None}
    return {**found, "is_account": is_account(found, source.accounts, _OWN_ID)}


def _host(website: str) -> str | None:
    """The domain of an address, however people write it."""
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None
