"""Zendesk into `raw_zendesk.*`: organizations, users, tickets with their metrics, satisfaction ratings.

Tickets and users come through the incremental exports whose cursor tells where to go on, organizations through that by
time, ratings by the time they were given. What has changed comes again as a whole object.

The key belongs to an admin: Zendesk gives its exports to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, matching, number, text, time, whole
from dagster_project.http_client import Basic, Client, ProviderError, walk
from dagster_project.provider_settings import ZendeskSource, key_of

PERMISSIONS = "an admin's API token (Admin Center, Apps and integrations, Zendesk API)"
_EXPORTS = "/api/v2/incremental"
_ORGANIZATIONS = "/api/v2/incremental/organizations"
_RATINGS = "/api/v2/satisfaction_ratings"
_BEGINNING = 1  # seconds since 1970: an export begins at a time, and 0 is none
_EXPORT_PAGE = 1000  # an export that gives fewer has come to its end
_NOT_YET = 120  # seconds; Zendesk refuses to export the newest minute


_OF_ALL = {"id": text("id"), "created_at": time("created_at"), "updated_at": time("updated_at")}


def tables(source: ZendeskSource) -> tuple[RawTable, ...]:
    """The raw tables. Subjects, descriptions, comments, names and addresses of people are not stored."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "organizations",
            ("id", "created_at", "updated_at", "deleted_at", "external_id", "domain_name", *matched_by),
            {
                **_OF_ALL,
                **match,
                "email_domain": text("domain_name"),
            },
        ),
        RawTable(
            "users",
            ("id", "created_at", "updated_at", "organization_id", "email_domain"),
            {**_OF_ALL, "organization_id": text("organization_id"), "email_domain": text("email_domain")},
        ),
        RawTable(
            "tickets",
            (
                "id", "created_at", "updated_at", "organization_id", "requester_id", "status", "priority",
                "satisfaction_rating.score", "metric_set.solved_at", "metric_set.reopens",
                "metric_set.reply_time_in_minutes.calendar",
            ),
            {
                **_OF_ALL,
                "organization_id": text("organization_id"),
                "requester_id": text("requester_id"),
                "status": text("status"),
                "priority": text("priority"),
                "rating": text("satisfaction_rating.score"),
                "solved_at": time("metric_set.solved_at"),
                "reopens": whole("metric_set.reopens"),
                "first_response_minutes": number("metric_set.reply_time_in_minutes.calendar"),
            },
            opens="tickets",
            settles=("solved_at",),
        ),
        RawTable(
            "satisfaction_ratings",
            ("id", "created_at", "updated_at", "ticket_id", "score"),
            {**_OF_ALL, "ticket_id": text("ticket_id"), "score": text("score")},
            opens="tickets",
        ),
    )  # fmt: skip


def client(source: ZendeskSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "zendesk",
        source.url,
        Basic(f"{key_of(source.user, environ)}/token", key_of(source.api_key, environ)),
        wrong_key=f"Check {source.user.removeprefix('env:')} and the key in {variable}: it has to be {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    count = (api.get("/api/v2/organizations/count").get("count") or {}).get("value")
    return f"the key is good, there are {count} organizations"


def pull(api: Client, source: ZendeskSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    back = source.look_back_minutes * 60
    for records, end in _organizations(api, state, now, back):
        state = {**state, "organizations": end}
        yield Batch("organizations", [_with_domain(one) for one in records], _ORGANIZATIONS, state)
    for kind in ("users", "tickets"):
        for records, cursor in _exported(api, kind, state):
            state = {**state, kind: cursor}
            yield Batch(kind, records, f"{_EXPORTS}/{kind}/cursor", state)
    since = max(state.get("ratings", _BEGINNING) - back, _BEGINNING)
    for records, is_last in _ratings(api, since):
        if is_last:
            state = {**state, "ratings": now}
        yield Batch("satisfaction_ratings", records, _RATINGS, state)


def _organizations(api: Client, state: State, now: int, back: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Pages of organizations changed since the state, each with the time that the export has reached."""
    start = max(min(state.get("organizations", _BEGINNING), now) - back, _BEGINNING)

    def fetch(after: int | None) -> tuple[list[dict[str, Any]], int | None]:
        page = api.get(_ORGANIZATIONS, {"start_time": str(after)})
        records = api.objects(_ORGANIZATIONS, page, "organizations")
        reached.append(page.get("end_time") or after or start)
        is_last = page.get("end_of_stream", len(records) < _EXPORT_PAGE) or reached[-1] > now - _NOT_YET
        return records, None if is_last else reached[-1]

    reached: list[int] = []
    for records, _ in walk(f"zendesk: {_ORGANIZATIONS}", start, fetch):
        yield records, reached[-1]


def _exported(api: Client, kind: str, state: State) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    """Pages of what has changed since the state, each with the cursor to go on from, also after the last."""
    path = f"{_EXPORTS}/{kind}/cursor"
    beside = {"include": "metric_sets"} if kind == "tickets" else {}

    def fetch(cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(path, ({"cursor": cursor} if cursor else {"start_time": str(_BEGINNING)}) | beside)
        records = api.objects(path, page, kind)
        reached.append(page.get("after_cursor") or cursor)
        if reached[-1] is None and not page.get("end_of_stream"):
            raise ProviderError(f"zendesk: {path} says there is more but gives no cursor")
        made = _with_metrics(records, page) if kind == "tickets" else [_without_address(one) for one in records]
        return made, None if page.get("end_of_stream") else reached[-1]

    reached: list[str | None] = []
    for records, _ in walk(f"zendesk: {path}", state.get(kind), fetch):
        yield records, reached[-1]


def _ratings(api: Client, since: int) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Ratings that customers have given since a time: (a page of them, whether it is the last)."""
    asked = {"score": "received", "start_time": str(since), "page[size]": "100"}

    def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(_RATINGS, {**asked, **({"page[after]": after} if after else {})})
        meta = page.get("meta") or {}
        records = api.objects(_RATINGS, page, "satisfaction_ratings")
        return records, meta.get("after_cursor") if meta.get("has_more") else None

    for records, cursor in walk(f"zendesk: {_RATINGS}", None, fetch):
        yield records, cursor is None


def _with_metrics(tickets: list[dict[str, Any]], page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tickets with their metrics, which come within the ticket or beside the tickets."""
    beside = {one.get("ticket_id"): one for one in page.get("metric_sets") or ()}
    return [{**one, "metric_set": one.get("metric_set") or beside.get(one["id"])} for one in tickets]


def _without_address(user: dict[str, Any]) -> dict[str, Any]:
    """With the domain of the address in its place."""
    return {**user, "email": None, "email_domain": email_domain(user.get("email"))}


def _with_domain(organization: dict[str, Any]) -> dict[str, Any]:
    """With the first of its domains as a field of its own."""
    domains = [one for one in organization.get("domain_names") or () if isinstance(one, str)]
    return {**organization, "domain_name": domains[0].strip().lower() if domains else None}
