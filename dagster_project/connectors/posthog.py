"""PostHog into `raw_posthog.events`: what people did in the product, in the order in which it arrived.

Its query API is asked for the few columns that are needed, from the last event on: (time of arrival, id). An event that
says nothing of an account (a visitor's) is not asked for. Of a person's address only the domain ever leaves PostHog.
PostHog advises its batch exports for large amounts: their files are a source of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, epoch, text
from dagster_project.http_client import Bearer, Client, ProviderError, walk
from dagster_project.provider_settings import PosthogSource, key_of

PERMISSIONS = "a personal API key with the permission Query Read for the project that `project` names"
PAGE = 20_000  # rows; PostHog gives at most 50,000
LATEST_DAYS = 30  # an event that arrives later than this after it happened is not seen: PostHog reads by that time
_COLUMNS = ("id", "event", "occurred_at", "received_at", "person_id", "external_id", "domain", "email_domain")
_DAY = 86_400

Place = tuple[int, str]  # seconds of arrival, id


def tables(source: PosthogSource) -> tuple[RawTable, ...]:  # noqa: ARG001 - which fields are asked for is in the query
    """The raw table. Nothing else is asked for: no properties, names or addresses."""
    return (
        RawTable(
            "events",
            _COLUMNS,
            {name: epoch(name) if name.endswith("_at") else text(name) for name in _COLUMNS},
            opens="usage_events",
            created="received_at",
            changes=False,
        ),
    )


def client(source: PosthogSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "posthog",
        source.url,
        Bearer(key_of(source.api_key, environ)),
        wrong_key=f"Check the key in {variable}: it has to be {PERMISSIONS}",
        base_path=f"/api/projects/{source.project}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    (found,) = _asked(api, "select count() from events where timestamp >= now() - toIntervalDay(1)", {})
    return f"the key is good, there were {found[0]} events in the last day"


def pull(api: Client, source: PosthogSource, state: State, now: int) -> Iterator[Batch]:
    """What has arrived since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    back = source.look_back_minutes * 60
    since = max(state["received"] - back, 0) if "received" in state else 0
    is_first = "is_whole" not in state  # also one that goes on after it was cut off: nothing of the history is left out
    query, values = _query(source, now, None if is_first else since)

    def fetch(place: Place | None) -> tuple[list[dict[str, Any]], Place | None]:
        after, last = place or (since, "")
        rows = _asked(api, query, {**values, "after": after, "last": last})
        if any(len(row) != len(_COLUMNS) for row in rows):
            raise ProviderError("posthog: answered with other columns than asked for")
        records = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        is_last = len(records) < PAGE
        return records, None if is_last else (int(records[-1]["received_at"]), str(records[-1]["id"]))

    for records, _ in walk("posthog: events", (since, ""), fetch):
        if records:
            state = {**state, "received": max(int(records[-1]["received_at"]), state.get("received", 0))}
        yield Batch("events", records, "/query/", state)
    yield Batch("events", [], "/query/", {**state, "is_whole": True})


def _query(source: PosthogSource, now: int, since: int | None) -> tuple[str, dict[str, Any]]:
    """HogQL and its values; all of the history without `since`. Fields of config are names and dots, nothing else."""
    match = source.match
    fields = {
        "external_id": match.external_id,
        "domain": match.domain,
        "email_domain": f"splitByChar('@', toString({source.email}))[2]" if "email_domain" in match.by else None,
    }
    told = {name: f"nullIf(toString({field}), '')" if field else "null" for name, field in fields.items()}
    known = " or ".join(f"isNotNull({told[name]})" for name, field in fields.items() if field)
    named = [f"event_{number}" for number in range(len(source.events or ()))]
    conditions = [
        "(toUnixTimestamp(created_at), toString(uuid)) > ({after}, {last})",
        f"({known})" if known else "",
        # Read by the time it happened, PostHog leaves most of the history alone.
        "timestamp >= now() - toIntervalDay({days})" if since is not None else "",
        f"({' or '.join(f'event = {{{name}}}' for name in named)})" if named else "",
    ]
    query = (
        "select toString(uuid), event, toUnixTimestamp(timestamp), toUnixTimestamp(created_at), toString(person_id), "
        f"{', '.join(told.values())} from events where {' and '.join(filter(None, conditions))} "
        f"order by toUnixTimestamp(created_at), toString(uuid) limit {PAGE}"
    )
    values = dict(zip(named, source.events or (), strict=True))
    return query, {**values, **({"days": (now - since) // _DAY + LATEST_DAYS} if since is not None else {})}


def _asked(api: Client, query: str, values: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of a query. Raises ProviderError for an answer without rows."""
    body = {"query": {"kind": "HogQLQuery", "query": query, "values": dict(values)}, "refresh": "force_blocking"}
    rows = api.post("/query/", body).get("results")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ProviderError("posthog: /query/ answered without rows in `results`; check `url` and `project`")
    return rows
