"""Intercom into `raw_intercom.*`: companies, contacts, conversations.

Contacts and conversations are searched for by their last change; companies can only be read one after the other.
A search remembers its place, so one that was cut off goes on there.

The token needs to read conversations, people and companies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, epoch, matching, text, whole
from dagster_project.http_client import Bearer, Client, ProviderError, walk
from dagster_project.provider_settings import IntercomSource, key_of

VERSION = "2.14"
PERMISSIONS = "an access token that may read conversations, people and companies"
PAGE = 150  # the most that a search gives
_SCROLL = "/companies/scroll"
_SEARCHED = {"contacts": "data", "conversations": "conversations"}  # and where its records lie


_OF_ALL = {"id": text("id"), "created_at": epoch("created_at"), "updated_at": epoch("updated_at")}
_KEPT_OF_ALL = ("id", "created_at", "updated_at")
_STATISTICS = ("first_admin_reply_at", "last_close_at", "count_reopens", "handling_time")


def tables(source: IntercomSource) -> tuple[RawTable, ...]:
    """The raw tables. Names, addresses, telephone numbers and what people wrote are not stored."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "companies",
            (*_KEPT_OF_ALL, "company_id", *matched_by),
            {
                **_OF_ALL,
                **match,
            },
        ),
        RawTable(
            "contacts",
            (*_KEPT_OF_ALL, "email_domain", "companies.data.id"),
            {**_OF_ALL, "company_id": text("companies.data[0].id"), "email_domain": text("email_domain")},
        ),
        RawTable(
            "conversations",
            (
                *_KEPT_OF_ALL, "state", "priority", "contacts.contacts.id",
                "conversation_rating.rating", "conversation_rating.created_at",
                *(f"statistics.{name}" for name in _STATISTICS),
            ),
            {
                **_OF_ALL,
                "contact_id": text("contacts.contacts[0].id"),
                "state": text("state"),
                "priority": text("priority"),
                "rating": whole("conversation_rating.rating"),
                "rated_at": epoch("conversation_rating.created_at"),
                "first_replied_at": epoch("statistics.first_admin_reply_at"),
                "closed_at": epoch("statistics.last_close_at"),
                "reopens": whole("statistics.count_reopens"),
                "handling_seconds": whole("statistics.handling_time"),
            },
            opens="tickets",
            settles=("first_replied_at", "closed_at", "rated_at"),
        ),
    )  # fmt: skip


def client(source: IntercomSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "intercom",
        source.url,
        Bearer(key_of(source.api_key, environ)),
        wrong_key=f"Check the token in {variable}: it has to be {PERMISSIONS}; workspaces in Europe and Australia have "
        "a `url` of their own",
        headers={"Intercom-Version": VERSION},
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    count = api.post("/conversations/search", question(0, 1)).get("total_count")
    return f"the token is good, there are {count} conversations"


def question(since: int, size: int = PAGE, after: str | None = None) -> dict[str, Any]:
    """What a search asks: objects changed since a time (seconds), from a place on."""
    place = {"starting_after": after} if after else {}
    query = {"field": "updated_at", "operator": ">", "value": since}
    return {"query": query, "pagination": {"per_page": size, **place}}


def pull(api: Client, source: IntercomSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    for records in _companies(api):
        yield Batch("companies", records, _SCROLL, state)
    for kind in _SEARCHED:
        place = state.get(kind) or {"since": 0}
        if "until" not in place:  # a new search; else one that was cut off goes on
            since = max(place["since"] - source.look_back_minutes * 60, 0)
            place = {"since": since, "until": now, "after": None}
        for records, after in _search(api, kind, place["since"], place["after"]):
            found = [_with_domain(one) for one in records] if kind == "contacts" else records
            state = {**state, kind: {**place, "after": after} if after else {"since": place["until"]}}
            yield Batch(kind, found, f"/{kind}/search", state)


def _companies(api: Client) -> Iterator[list[dict[str, Any]]]:
    """All companies: the scroll gives the same parameter again and again, and ends with a page that is empty."""
    parameter: str | None = None
    seen: set[str] = set()
    while True:
        page = api.get(_SCROLL, {"scroll_param": parameter} if parameter else {})
        records, parameter = api.objects(_SCROLL, page, "data"), page.get("scroll_param")
        ids = {str(one["id"]) for one in records}
        if ids and ids <= seen:
            raise ProviderError(f"intercom: {_SCROLL}: the same page came twice; stopped, or it would never end")
        seen |= ids
        if not records:
            return
        yield records
        if parameter is None:
            return


def _search(api: Client, kind: str, since: int, start: str | None) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    path = f"/{kind}/search"

    def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.post(path, question(since, after=after))
        following = (page.get("pages") or {}).get("next") or {}
        return api.objects(path, page, _SEARCHED[kind]), following.get("starting_after")

    return walk(f"intercom: {path}", start, fetch)


def _with_domain(contact: dict[str, Any]) -> dict[str, Any]:
    """With the domain of its address, where Intercom does not tell it."""
    return {**contact, "email_domain": contact.get("email_domain") or email_domain(contact.get("email"))}
