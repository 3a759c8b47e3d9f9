"""HubSpot into `raw_hubspot.*`: companies and feedback submissions.

Companies are searched by the time of their last change. A search ends after 10,000 results, so it begins again from the
newest change seen. Submissions are listed once with the companies they belong to, which a search does not tell; from
then on changed ones are searched for, and each is read once.

The key is that of a private app with the scopes of PERMISSIONS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import (
    RawTable,
    account_columns,
    is_account,
    matching,
    number,
    text,
    time,
    truth,
    whole,
)
from dagster_project.http_client import Bearer, Client, NotFoundError, ProviderError, walk
from dagster_project.provider_settings import HubspotSource, key_of

PERMISSIONS = "the scopes crm.objects.companies.read and crm.objects.feedback_submissions.read"
PAGE = 100
SEARCH_ENDS = 10_000  # results; HubSpot gives no more of one search
_COMPANIES = "/crm/v3/objects/companies"
_FEEDBACK = "/crm/v3/objects/feedback_submissions"
_CHANGED = "hs_lastmodifieddate"
_OWN_ID = "hs_object_id"
_OF_COMPANY = ("domain", _CHANGED)
_OF_FEEDBACK = ("hs_survey_type", "hs_value", "hs_submission_timestamp", "hs_contact_id", _CHANGED)
FEEDBACK_QUERY = {"properties": ",".join(_OF_FEEDBACK), "associations": "companies"}


# When a company was last changed is not kept: what we write back to it changes that time and nothing that we read.
_OF_ALL = {"id": text("id"), "created_at": time("createdAt"), "is_deleted": truth("archived")}
_KEPT_OF_ALL = ("id", "createdAt", "archived")


def properties_of(source: HubspotSource) -> list[str]:
    """The properties of a company that are asked for."""
    matched_by, _ = matching(source.match)
    accounts = source.accounts
    of_account = [path for column in account_columns(accounts, _OWN_ID).values() for path in column.paths]
    judged = [name for name in (*of_account, *(accounts.only if accounts else ())) if name != "is_account"]
    more = [path.removeprefix("properties.") for path in source.keep.get("companies", ())]
    return list(dict.fromkeys([*_OF_COMPANY, *matched_by, *(judged if accounts else ()), *more]))


def tables(source: HubspotSource) -> tuple[RawTable, ...]:
    """The raw tables. Names, telephone numbers, addresses and what people wrote are neither asked for nor stored."""
    _, match = matching(source.match, within="properties.")
    kept = [f"properties.{name}" for name in properties_of(source) if name != _CHANGED]
    return (
        RawTable(
            "companies",
            (*_KEPT_OF_ALL, "is_account", *kept),
            {
                **_OF_ALL,
                **match,
                "email_domain": text("properties.domain"),
                **account_columns(source.accounts, _OWN_ID, within="properties."),
            },
            opens="accounts",
            judged_by=repr(source.accounts),
        ),
        RawTable(
            "feedback_submissions",
            (*_KEPT_OF_ALL, "csat_scale", "associations.companies.results.id",
             *(f"properties.{name}" for name in _OF_FEEDBACK)),
            {
                **_OF_ALL,
                "contact_id": text("properties.hs_contact_id"),
                "company_id": text("associations.companies.results[0].id"),
                "survey_type": text("properties.hs_survey_type"),
                "value": number("properties.hs_value"),
                "csat_scale": whole("csat_scale"),
                "submitted_at": time("properties.hs_submission_timestamp", "createdAt"),
            },
            opens="survey_responses",
            created="submitted_at",
        ),
    )  # fmt: skip


def client(source: HubspotSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "hubspot",
        source.url,
        Bearer(key_of(source.api_key, environ)),
        wrong_key=f"Check the key in {variable}: its private app needs {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    found = api.get(_COMPANIES, {"limit": "1"}).get("results")
    return "the key is good, there are companies" if found else "the key is good, there are no companies yet"


def pull(api: Client, source: HubspotSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    back = source.look_back_minutes * 60_000
    for records, newest in _changed(api, _COMPANIES, state.get("companies", 0) - back, properties_of(source)):
        state = {**state, "companies": max(newest, state.get("companies", 0))}
        yield Batch("companies", [_judged(one, source) for one in records], _COMPANIES, state)
    listed = state.get("feedback_listed")
    if listed is not True:
        if listed is None:
            state = {**state, "feedback": now * 1000}
        for records, cursor in _listed(api, listed):
            state = {**state, "feedback_listed": cursor or True}
            yield Batch("feedback_submissions", _with_scale(records, source), _FEEDBACK, state)
    for records, newest in _changed(api, _FEEDBACK, state["feedback"] - back, [_CHANGED]):
        state = {**state, "feedback": max(newest, state["feedback"])}
        whole = [_now(api, one["id"]) for one in records]
        yield Batch("feedback_submissions", _with_scale(whole, source), _FEEDBACK, state)


def _changed(api: Client, path: str, since: int, properties: list[str]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Pages of what has changed since a time (milliseconds), each with the newest change so far."""
    start: int | None = max(since, 0)
    while start is not None:
        newest, is_cut_off = start, False
        for records, cursor in _search(api, path, start, properties):
            newest, is_cut_off = max([newest, *(_milliseconds(one, path) for one in records)]), cursor is not None
            yield records, newest
        if is_cut_off and newest == start:
            raise ProviderError(f"hubspot: {path} has over {SEARCH_ENDS} changes of one moment; no search passes them")
        start = newest if is_cut_off else None


def question(since: int, properties: list[str]) -> dict[str, Any]:
    """What a search asks: objects changed since a time (milliseconds), in the order of their change."""
    changed = {"propertyName": _CHANGED, "operator": "GTE", "value": str(since)}
    return {"filterGroups": [{"filters": [changed]}], "sorts": [_CHANGED], "properties": properties, "limit": PAGE}


def _search(
    api: Client, path: str, start: int, properties: list[str]
) -> Iterator[tuple[list[dict[str, Any]], int | None]]:
    """Pages of one search, (records, place of the next page): it ends with None, or where HubSpot gives no more."""

    def fetch(after: int | None) -> tuple[list[dict[str, Any]], int | None]:
        page = api.post(f"{path}/search", {**question(start, properties), "after": str(after)})
        following = ((page.get("paging") or {}).get("next") or {}).get("after")
        if following is not None and not str(following).isdecimal():
            raise ProviderError(f"hubspot: {path}/search gave a place for the next page that is no number; check `url`")
        return api.objects(path, page, "results"), None if following is None else int(following)

    for records, cursor in walk(f"hubspot: {path}/search", 0, fetch):
        yield records, cursor
        if cursor is not None and cursor + PAGE > SEARCH_ENDS:
            return


def _listed(api: Client, start: str | None) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(_FEEDBACK, {**FEEDBACK_QUERY, "limit": str(PAGE), **({"after": after} if after else {})})
        return api.objects(_FEEDBACK, page, "results"), ((page.get("paging") or {}).get("next") or {}).get("after")

    return walk(f"hubspot: {_FEEDBACK}", start, fetch)


def _now(api: Client, one: str) -> dict[str, Any]:
    try:
        return api.get(f"{_FEEDBACK}/{one}", FEEDBACK_QUERY)
    except NotFoundError:
        return {"id": one, "archived": True}


def _judged(company: dict[str, Any], source: HubspotSource) -> dict[str, Any]:
    """With whether it is a customer, as config says."""
    return {**company, "is_account": is_account(company.get("properties") or {}, source.accounts, _OWN_ID)}


def _with_scale(records: list[dict[str, Any]], source: HubspotSource) -> list[dict[str, Any]]:
    return [{**one, "csat_scale": source.csat_scale} for one in records]


def _milliseconds(record: Mapping[str, Any], path: str) -> int:
    """When the record was last changed."""
    told = (record.get("properties") or {}).get(_CHANGED) or record.get("updatedAt")
    try:
        return int(datetime.fromisoformat(str(told).replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        raise ProviderError(f"hubspot: {path} gave an object without the time of its last change") from None
