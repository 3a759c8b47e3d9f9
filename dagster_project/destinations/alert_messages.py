"""Which messages are due: what the published mart says of breaches, against what people did and what was told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dagster_project.destinations.alert_book import Action, AlertBook, Message
from dagster_project.destinations.mart_files import MART_SCHEMA
from dagster_project.destinations.sql import opened
from dagster_project.scorecards.delivery import SEVERITIES, Accounts, Delivery, Route
from dagster_project.warehouse import quoted

Row = dict[str, Any]

_DIGEST = "digest "
_BREACHES = """
select
    breaches.* exclude (lens, value_at_open, peak_on),
    accounts.account_name,
    coalesce(health.segment, accounts.segment) as segment,
    coalesce(health.plan, accounts.plan) as plan,
    coalesce(health.lifecycle_stage, accounts.lifecycle_stage) as lifecycle_stage,
    accounts.region,
    coalesce(health.owner, accounts.owner) as owner,
    health.arr, health.score, health.band, health.trend_30d, health.renewal_on, health.days_to_renewal,
    health.drivers_down, health.drivers_of_change
from fct_breaches as breaches
join dim_accounts as accounts using (account_id)
left join current_health as health using (account_id)
where breaches.is_open or breaches.closed_on >= $since
order by breaches.opened_on, breaches.breach_id
"""


@dataclass(frozen=True)
class Standing:
    """Where a breach stands by what people did: the last word of each kind counts."""

    acknowledged: bool = False
    snoozed_until: date | None = None
    closed: bool = False
    assignee: str | None = None

    def is_quiet(self, newest: date) -> bool:
        """True while nobody is to hear of it."""
        return self.closed or (self.snoozed_until is not None and newest < self.snoozed_until)

    @property
    def is_touched(self) -> bool:
        """True once a person has taken note of it."""
        return self.acknowledged or self.snoozed_until is not None or self.closed or self.assignee is not None


def standings(actions: Iterable[Action]) -> dict[str, Standing]:
    """Each breach that somebody did something about, and where it stands."""
    found: dict[str, Standing] = {}
    for action in actions:
        if action.act == "release":
            continue
        old = found.get(action.breach_id, Standing())
        found[action.breach_id] = Standing(
            acknowledged=old.acknowledged or action.act == "acknowledge",
            snoozed_until=action.until if action.act == "snooze" else old.snoozed_until,
            closed=old.closed or action.act == "close",
            assignee=action.assignee if action.act == "assign" else old.assignee,
        )
    return found


def newest_day(mart: Path) -> date | None:
    """The newest day scored; None where none is."""
    with opened(mart, "mart", {}) as con:
        newest: date | None
        (newest,) = con.execute(f"select max(day) from mart.{quoted(MART_SCHEMA)}.fct_health_scores").fetchall()[0]
    return newest


def read_months(mart: Path) -> list[tuple[date, int, int]]:
    """Months with scores: (first of the month, breaches opened in it, accounts scored in it)."""
    with opened(mart, "mart", {}) as con:
        con.execute(f"use {quoted('mart', MART_SCHEMA)}")
        return con.execute(
            """
            with scored as (
                select date_trunc('month', day)::date as month, count(distinct account_id) as accounts
                from fct_health_scores
                group by all
            ), opened as (
                select date_trunc('month', opened_on)::date as month, count(*) as breaches
                from fct_breaches
                group by all
            )
            select month, coalesce(breaches, 0), accounts from scored left join opened using (month) order by month
            """
        ).fetchall()


def read_breaches(mart: Path, since: date) -> list[Row]:
    """Breaches that are open or closed since a day, each with its account's facts."""
    with opened(mart, "mart", {}) as con:
        con.execute(f"use {quoted('mart', MART_SCHEMA)}")
        found = con.execute(_BREACHES, {"since": since})
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def of_failed_run(delivery: Delivery, run_id: str, steps: Sequence[str], day: date) -> list[Message]:
    """What the data owner hears of a run that failed: which steps, and no more, for errors may quote data."""
    if delivery.data_owner is None:
        return []
    key = _key("run_failed", run_id, delivery.data_owner)
    facts = {"run_id": run_id, "steps": ", ".join(steps) or "none of its steps"}
    return [Message(key, key, f"run {run_id}", None, None, "run_failed", delivery.data_owner, day, facts)]


def of_late_scores(delivery: Delivery, published: datetime, newest: date | None, day: date) -> list[Message]:
    """What the data owner hears where nothing has been published since `published` (UTC)."""
    if delivery.data_owner is None:
        return []
    at = f"{published:%Y-%m-%d %H:%M} UTC"
    key = _key("scores_late", at, delivery.data_owner)
    facts = {"published": at, "newest": newest.isoformat() if newest else None}
    return [Message(key, key, "scores late", None, None, "scores_late", delivery.data_owner, day, facts)]


def due_messages(mart: Path, delivery: Delivery, book: AlertBook, newest: date) -> list[Message]:
    """Messages that nobody was told yet, in the order of opening.

    A breach is told when it opens, when it has been open for `escalate_after_days` and nobody has touched it, when a
    snooze ends and it is still open, and when it closes. Those that opened in a mass move wait until their day is
    released; the data owner hears of the move.
    """
    since = book.begun_on() or newest
    breaches = read_breaches(mart, since)
    actions, told = book.actions(), book.told()
    released = {date.fromisoformat(action.breach_id) for action in actions if action.act == "release"}
    stands = standings(actions)
    history = _History(told, {row["breach_id"] for row in breaches})
    found = [*_of_mass_moves(mart, delivery, since, released), *history.withdrawn(breaches, newest)]
    for row in breaches:
        standing = stands.get(row["breach_id"], Standing())
        if row["mass_move_on"] is None or row["mass_move_on"] in released:
            found += _of_breach(row, standing, history, delivery, since, newest)
    known = {message.key for message in told}
    return _bundled([message for message in found if message.key not in known])


class _History:
    """What was told of which breach."""

    def __init__(self, told: Iterable[Message], there: set[str]) -> None:
        self._events: dict[str, dict[str, set[str]]] = {}  # breach -> event -> channels
        self._open: dict[tuple[str | None, str | None], Message] = {}  # told, and gone from the mart under its name
        for message in told:
            self._events.setdefault(message.breach_id, {}).setdefault(message.event, set()).add(message.channel)
            if message.event == "opened" and message.breach_id not in there:
                self._open[message.account_id, message.rule] = message
        for message in list(self._open.values()):
            if "resolved" in self._events[message.breach_id]:
                del self._open[message.account_id, message.rule]

    def channels(self, breach: str, event: str) -> set[str]:
        """Those that got it."""
        return self._events.get(breach, {}).get(event, set())

    def renamed(self, row: Row) -> set[str]:
        """Channels that were told of this breach when it went by another name: late facts moved its first day."""
        before = self._open.get((row["account_id"], row["rule"]))
        return self.channels(before.breach_id, "opened") if before else set()

    def withdrawn(self, breaches: Iterable[Row], newest: date) -> Iterator[Message]:
        """Of breaches that were told and, as late facts show, never were."""
        there = {(row["account_id"], row["rule"]) for row in breaches}
        for (account, rule), before in self._open.items():
            if (account, rule) not in there and not self.channels(before.breach_id, "withdrawn"):
                for name in sorted(self.channels(before.breach_id, "opened")):
                    key = _key(before.breach_id, "withdrawn", name)
                    yield replace(before, key=key, bundle=key, event="withdrawn", channel=name, day=newest)


def _of_breach(
    row: Row, standing: Standing, history: _History, delivery: Delivery, since: date, newest: date
) -> Iterator[Message]:
    breach, told = row["breach_id"], history.channels(row["breach_id"], "opened")
    if standing.is_quiet(newest):
        return
    if not told and row["is_open"]:
        before = history.renamed(row)
        if before:
            yield from (_message(row, "opened", name, newest, delivery, is_told=True) for name in sorted(before))
        elif row["opened_on"] >= since and not standing.is_touched:
            yield from _routed(row, "opened", row["severity"], standing, delivery, newest)
    elif told and not row["is_open"]:
        if not history.channels(breach, "resolved"):
            yield from (_message(row, "resolved", name, newest, delivery) for name in sorted(told))
    elif told:
        if standing.snoozed_until is not None:
            event = f"resumed {standing.snoozed_until}"
            if not history.channels(breach, event):
                yield from _routed(row, event, row["severity"], standing, delivery, newest)
        patience = delivery.escalate_after_days
        if patience and row["days_open"] > patience and not standing.is_touched:
            higher = SEVERITIES[min(SEVERITIES.index(row["severity"]) + 1, len(SEVERITIES) - 1)]
            if not history.channels(breach, "escalated"):
                yield from _routed({**row, "severity": higher}, "escalated", higher, standing, delivery, newest)


def _routed(
    row: Row, event: str, severity: str, standing: Standing, delivery: Delivery, newest: date
) -> Iterator[Message]:
    owned = {**row, "owner": standing.assignee or row["owner"]}
    route = next(route for route in delivery.routes if _fits(route, severity, owned))
    for name in route.to:
        yield _message(owned, event, name, newest, delivery, digest=route.digest)


def _fits(route: Route, severity: str, row: Row) -> bool:
    return (route.severity is None or severity in route.severity) and fits_accounts(route.accounts, row)


def fits_accounts(asked: Accounts, row: Mapping[str, Any]) -> bool:
    """Does an account meet all the conditions? An unknown value meets none."""
    texts = all(row[name] in values for name, values in asked.texts.items())
    if asked.arr is None:
        return texts
    arr = row["arr"]
    low, high = asked.arr.from_ or 0, asked.arr.to
    return texts and arr is not None and arr >= low and (high is None or arr < high)


def _message(
    row: Row, event: str, channel: str, newest: date, delivery: Delivery, *, digest: bool = False, is_told: bool = False
) -> Message:
    key = _key(row["breach_id"], event, channel)
    bundle = _DIGEST + str(row["owner"]) if digest else key
    facts = {name: value for name, value in row.items() if value is not None}
    if delivery.link:
        facts["link"] = delivery.link.replace("{account_id}", quote(row["account_id"], safe=""))
    if delivery.currency:
        facts["currency"] = delivery.currency
    return Message(
        key, bundle, row["breach_id"], row["account_id"], row["rule"], event, channel, newest, facts, is_told
    )


def _bundled(messages: Sequence[Message]) -> list[Message]:
    """What a run has for an owner's digest in a channel goes by one name; what a later run has is another digest."""
    digests: dict[tuple[str, str], list[str]] = {}
    for one in messages:
        if one.bundle.startswith(_DIGEST):
            digests.setdefault((one.channel, one.bundle), []).append(one.key)
    names = {of: _key(*sorted(keys)) for of, keys in digests.items()}
    return [replace(one, bundle=names.get((one.channel, one.bundle), one.bundle)) for one in messages]


def _of_mass_moves(mart: Path, delivery: Delivery, since: date, released: set[date]) -> Iterator[Message]:
    if delivery.data_owner is None:
        return
    with opened(mart, "mart", {}) as con:
        con.execute(f"use {quoted('mart', MART_SCHEMA)}")
        moves = con.execute(
            "select day, accounts_scored, accounts_moved, ("
            "    select count(*) from fct_breaches where mass_move_on = moves.day"
            ") from fct_mass_moves as moves where direction = 'down' and day >= $since order by day",
            {"since": since},
        ).fetchall()
    for day, scored, moved, waiting in moves:
        if day not in released:
            name, key = f"mass move of {day}", _key("mass_move", day.isoformat(), delivery.data_owner)
            facts = {"day": day, "accounts_scored": scored, "accounts_moved": moved, "waiting": waiting}
            yield Message(key, key, name, None, None, "mass_move", delivery.data_owner, day, facts)


def _key(*parts: str) -> str:
    """32 hexadecimal digits that are the same whenever the parts are."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
