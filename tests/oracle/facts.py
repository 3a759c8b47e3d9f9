"""The facts of an account: raw rows as a source sends them, without the repeats, each with the day it became known.

A row is the mapping of an entity's columns (docs/reference/entities.md). Of several rows with one key the newest
counts, known since the first; of usage events the first. Accounts and subscriptions come in versions: all of them stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

Row = dict[str, Any]
Rows = dict[str, list[Row]]  # by entity, in the order of the lines

ALWAYS = datetime(1970, 1, 1)
KEYS = {
    "users": ("user_id",),
    "tickets": ("ticket_id",),
    "survey_responses": ("response_id",),
    "invoices": ("invoice_id",),
    "engagement_events": ("engagement_id",),
    "pulses": ("account_id", "given_on"),
}
HAPPENED = {
    "accounts": "created_on",
    "subscriptions": "started_on",
    "usage_events": "occurred_at",
    "tickets": "created_at",
    "survey_responses": "responded_at",
    "invoices": "issued_on",
    "engagement_events": "occurred_at",
    "pulses": "given_on",
}


@dataclass
class Observation:
    """A measure of one account and day: the value, how many facts it rests on and the day of the newest of them."""

    value: float
    sample_size: int
    observed_at: date


@dataclass
class Facts:
    """All facts of one account, or of all of them; `known` in each is the day from whose end on it is known."""

    versions: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)
    subscriptions: list[Row] = field(default_factory=list)
    usage_events: list[Row] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    survey_responses: list[Row] = field(default_factory=list)
    invoices: list[Row] = field(default_factory=list)
    engagement_events: list[Row] = field(default_factory=list)
    pulses: list[Row] = field(default_factory=list)


@dataclass
class Feeds:
    """The newest fact of each feed, whoever's it is, that had happened and was known by a day; None before the first.

    `usage_time` and `support_time` are those that say how long it took.
    """

    usage: date | None
    usage_time: date | None
    support: date | None
    support_time: date | None
    billing: date | None
    engagement: date | None
    paying_12m_ago: int = 0  # accounts
    lost: int = 0  # of these, those that no longer pay


def day_of(moment: date | datetime) -> date:
    """The day of a time, or the day itself."""
    return moment.date() if isinstance(moment, datetime) else moment


def moment_of(moment: date | datetime) -> datetime:
    """A time; of a day its first moment."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time())


def known_at(entity: str, row: Row) -> datetime:
    """When a row could first be known: as it says, else when it happened, else always."""
    if row.get("known_at") is not None:
        return row["known_at"]  # type: ignore[no-any-return]
    return moment_of(row[HAPPENED[entity]]) if entity in HAPPENED else ALWAYS


def without_repeats(entity: str, rows: list[Row]) -> list[Row]:
    """One row a key: the newest, the last line of equals, known since the first."""
    copies: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        copies.setdefault(tuple(row[name] for name in KEYS[entity]), []).append(row)
    found = []
    for same in copies.values():
        newest = same[0]
        for row in same[1:]:
            if known_at(entity, row) >= known_at(entity, newest):
                newest = row
        found.append(newest | {"known": min(known_at(entity, row) for row in same).date()})
    return found


def first_copies(rows: list[Row]) -> list[Row]:
    """Usage events without repeats: the copy known first counts. A row without an id is no repeat."""
    first: dict[str, Row] = {}
    for row in rows:
        event = row["event_id"]
        if event is None:
            continue
        if event not in first or known_at("usage_events", row) < known_at("usage_events", first[event]):
            first[event] = row
    kept = [row for row in rows if row["event_id"] is None or first[row["event_id"]] is row]
    return [row | {"known": known_at("usage_events", row).date()} for row in kept]


def versions(entity: str, key: str, rows: list[Row]) -> list[Row]:
    """Every version, in the order in which they became known; of several of one moment the last line."""
    dated = [row | {"at": known_at(entity, row), "known": known_at(entity, row).date()} for row in rows]
    found = {(row[key], row["at"]): row for row in dated}
    return sorted(found.values(), key=lambda row: row["at"])


def newest_version(rows: Iterable[Row], day: date) -> Row | None:
    """The version known by the end of a day, of rows in the order in which they became known."""
    known = [row for row in rows if row["known"] <= day]
    return known[-1] if known else None


def all_facts(rows: Rows) -> Facts:
    """The facts of everybody."""
    accounts = rows["accounts"]
    stands_first: dict[tuple[str, datetime], Row] = {}
    for row in accounts:  # a version that stands there twice: the first counts
        stands_first.setdefault((row["account_id"], known_at("accounts", row)), row)
    return Facts(
        versions=versions("accounts", "account_id", list(stands_first.values())),
        subscriptions=versions("subscriptions", "subscription_id", rows["subscriptions"]),
        usage_events=first_copies(rows["usage_events"]),
        **{entity: without_repeats(entity, rows[entity]) for entity in KEYS},
    )


def by_account(facts: Facts) -> dict[str, Facts]:
    """The facts of each account that is known, itself; others are strangers."""
    found = {row["account_id"]: Facts() for row in facts.versions}
    for entity, rows in vars(facts).items():
        for row in rows:
            if row["account_id"] in found:
                getattr(found[row["account_id"]], entity).append(row)
    return found


def seen_from(moment: date | datetime, known: date) -> date:
    """The day from whose end on something that happened counts: it has happened, and is known."""
    return max(day_of(moment), known)


def within(moment: date | datetime, known: date, day: date, length: int) -> bool:
    """Whether something happened in the last `length` days, today among them, and is known by the end of the day."""
    return seen_from(moment, known) <= day and day_of(moment) > day - timedelta(days=length)


def newest(moments: Iterable[date | datetime]) -> date | None:
    """The day of the newest; None if there is none."""
    return max((day_of(one) for one in moments), default=None)


def feeds(everybody: Facts, day: date) -> Feeds:
    """How far each feed has come by the end of a day."""

    def newest_of(rows: list[Row], column: str) -> date | None:
        return newest(
            row[column] for row in rows if row[column] is not None and seen_from(row[column], row["known"]) <= day
        )

    return Feeds(
        usage=newest_of(everybody.usage_events, "occurred_at"),
        usage_time=newest_of([row for row in everybody.usage_events if row["duration_seconds"]], "occurred_at"),
        support=newest_of(everybody.tickets, "created_at"),
        support_time=newest(
            row["solved_at"]
            for row in everybody.tickets
            if row["solved_at"] is not None
            and row["handling_minutes"] is not None
            and max(day_of(row["solved_at"]), seen_from(row["created_at"], row["known"])) <= day
        ),
        billing=newest_of(everybody.invoices, "issued_on"),
        engagement=newest_of(everybody.engagement_events, "occurred_at"),
    )
