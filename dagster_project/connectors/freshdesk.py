"""Freshdesk into `raw_freshdesk.*`: companies, tickets with their times, satisfaction ratings.

Tickets are asked for by the time of their last change, in its order. Where a page spans more than a second, the next is
the first after a time: a ticket that changes meanwhile moves to the end, and pages counted from the beginning would
then leave one out; nor does Freshdesk give more than 300 of those. Tickets that are deleted or marked as spam leave
that list and stand in two of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, matching, text, time, truth, whole
from dagster_project.http_client import Basic, Client, ProviderError, WrongKeyError, walk
from dagster_project.provider_settings import FreshdeskSource, key_of

PERMISSIONS = "the API key of an agent who may see all tickets, companies and satisfaction surveys (profile settings)"
PAGE = 100  # the most that Freshdesk gives
_TICKETS = "/api/v2/tickets"
_COMPANIES = "/api/v2/companies"
_RATINGS = "/api/v2/surveys/satisfaction_ratings"
_BEGINNING = "2010-01-01T00:00:00Z"  # before Freshdesk was; without a time it gives the last 30 days only
_DISCARDED = ("deleted", "spam")
_NOT_IN_PLAN = "require_feature"  # Freshdesk's word for it
_STATS = ("first_responded_at", "resolved_at", "closed_at", "reopened_at")
_OF_ALL = {"id": text("id"), "created_at": time("created_at"), "updated_at": time("updated_at")}

Place = tuple[str, int]  # changed since; page from there


def tables(source: FreshdeskSource) -> tuple[RawTable, ...]:
    """The raw tables. Subjects, descriptions, names and addresses of people are not stored."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "companies",
            ("id", "created_at", "updated_at", "domain_name", *matched_by),
            {**_OF_ALL, **match, "email_domain": text("domain_name")},
        ),
        RawTable(
            "tickets",
            (
                "id", "created_at", "updated_at", "company_id", "status", "priority", "is_discarded",
                *(f"stats.{one}" for one in _STATS),
            ),
            {
                **_OF_ALL,
                "company_id": text("company_id"),
                "status": whole("status"),
                "priority": whole("priority"),
                "is_discarded": truth("is_discarded"),
                **{name: time(f"stats.{name}") for name in _STATS},
            },
            opens="tickets",
            settles=_STATS,
        ),
        RawTable(
            "satisfaction_ratings",
            ("id", "created_at", "updated_at", "ticket_id", "ratings.default_question"),
            {**_OF_ALL, "ticket_id": text("ticket_id"), "rating": whole("ratings.default_question")},
            opens="tickets",
        ),
    )  # fmt: skip


def client(source: FreshdeskSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "freshdesk",
        source.url,
        Basic(key_of(source.api_key, environ), "X"),
        wrong_key=f"Check the key in {variable}: it has to be {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    found = api.get_list(_COMPANIES, {"per_page": "1"})
    return "the key is good, there are companies" if found else "the key is good, there are no companies yet"


def pull(api: Client, source: FreshdeskSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    back = timedelta(minutes=source.look_back_minutes)
    for companies in _numbered(api, _COMPANIES, {}):
        yield Batch("companies", [_with_domain(one) for one in companies], _COMPANIES, state)
    for kind in ("tickets", *_DISCARDED):
        for tickets in _tickets(api, kind, _since(state, kind, back)):
            state = {**state, kind: tickets[-1]["updated_at"]} if tickets else state
            yield Batch("tickets", tickets, _TICKETS, state)
    for ratings in _ratings(api, _since(state, "ratings", back)):
        yield Batch("satisfaction_ratings", ratings, _RATINGS, state)
    reached = datetime.fromtimestamp(now, UTC)
    yield Batch("satisfaction_ratings", [], _RATINGS, {**state, "ratings": _written(reached)})


def _since(state: State, kind: str, back: timedelta) -> str:
    return _earlier(state[kind], back) if kind in state else _BEGINNING


def _numbered(api: Client, path: str, asked: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
    """Pages one after the other, of a list whose order does not change."""

    def fetch(page: int | None) -> tuple[list[dict[str, Any]], int | None]:
        records = api.get_list(path, {**asked, "per_page": str(PAGE), "page": str(page)})
        return records, int(page or 1) + 1 if len(records) >= PAGE else None

    for records, _ in walk(f"freshdesk: {path}", 1, fetch):
        yield records


def _ratings(api: Client, since: str) -> Iterator[list[dict[str, Any]]]:
    """Pages of ratings given since a time; none where the plan of the account has no surveys."""
    try:
        yield from _numbered(api, _RATINGS, {"created_since": since})
    except WrongKeyError as error:
        if error.code != _NOT_IN_PLAN:
            raise


def _tickets(api: Client, kind: str, since: str) -> Iterator[list[dict[str, Any]]]:
    """Pages of tickets, or of those discarded, in the order of change; the last of a page comes again with the next."""
    asked = {"per_page": str(PAGE), "include": "stats", "order_by": "updated_at", "order_type": "asc"}
    is_discarded = kind in _DISCARDED
    if is_discarded:
        asked["filter"] = kind

    def fetch(place: Place | None) -> tuple[list[dict[str, Any]], Place | None]:
        after, page = place or (since, 1)
        found = api.get_list(_TICKETS, {**asked, "updated_since": after, "page": str(page)})
        records = [{**one, "is_discarded": is_discarded} for one in found]
        if len(records) < PAGE:
            return records, None
        first, last = (_earlier(one.get("updated_at"), timedelta()) for one in (records[0], records[-1]))
        reached = _earlier(last, timedelta(seconds=1))  # others may bear the same second
        return records, (reached, 1) if reached > first else (after, page + 1)

    for records, _ in walk(f"freshdesk: {_TICKETS}", (since, 1), fetch):
        yield records


def _earlier(written: Any, by: timedelta) -> str:
    try:
        return _written(datetime.fromisoformat(written) - by)
    except (TypeError, ValueError):
        raise ProviderError(f"freshdesk: {_TICKETS} gave a ticket without the time of its last change") from None


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _with_domain(company: dict[str, Any]) -> dict[str, Any]:
    """With the first of its domains as a field of its own."""
    domains = [one for one in company.get("domains") or () if isinstance(one, str)]
    return {**company, "domain_name": domains[0].strip().lower() if domains else None}
