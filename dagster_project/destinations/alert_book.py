"""What people did about breaches, which messages there are, and how each attempt to send one went: `alerts.sqlite`.

Rows are only ever added. It is a file of its own because it cannot be made again from anything, as the warehouse can.

    with open_book(path) as book:
        book.act(Action(breach_id, "acknowledge", who="ada", at=now))
        book.queue(messages)          # before anything is sent
        book.attempted(bundle, "sent", now)
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

Act = Literal["acknowledge", "snooze", "close", "assign", "release"]
ACTS: tuple[Act, ...] = get_args(Act)
Outcome = Literal["sent", "failed"]
WAIT_SECONDS = 30.0  # for another process that writes; each writes for milliseconds

_TABLES = """
create table if not exists actions (
    action integer primary key, breach_id text not null, act text not null, who text not null, at text not null,
    until text, reason text, assignee text
) strict;
create table if not exists messages (
    key text primary key, bundle text not null, breach_id text not null, account_id text, rule text,
    event text not null, channel text not null, day text not null, facts text not null, queued_at text not null,
    is_told integer not null
) strict;
create table if not exists attempts (
    attempt integer primary key, bundle text not null, outcome text not null, reason text, at text not null
) strict;
create table if not exists beginnings (day text primary key) strict;
create index if not exists messages_of_breach on messages (breach_id);
create index if not exists attempts_of_bundle on attempts (bundle);
"""
_APPEND_ONLY = """
create trigger if not exists {table}_{verb} before {verb} on {table}
begin select raise(abort, '{table} is append-only'); end;
"""
_UNSENT = """
select messages.* from messages
where is_told = 0 and not exists (
    select 1 from attempts where attempts.bundle = messages.bundle and attempts.outcome = 'sent'
)
order by messages.queued_at, messages.rowid
"""


@dataclass(frozen=True)
class Action:
    """What a person did about a breach. A `release` is of a day's mass move: its `breach_id` is the day."""

    breach_id: str
    act: Act
    who: str
    at: datetime
    until: date | None = None
    reason: str | None = None
    assignee: str | None = None


@dataclass(frozen=True)
class Message:
    """One thing to tell one channel. Messages of one `bundle` are sent as one; its name is the idempotency key.

    `event` is opened, escalated, resumed, resolved, withdrawn, mass_move, run_failed or scores_late. `facts` are
    those of the day, for the words. Where `is_told` the breach goes by another name than when it was told, and nothing
    is sent.
    """

    key: str
    bundle: str
    breach_id: str
    account_id: str | None
    rule: str | None
    event: str
    channel: str
    day: date
    facts: dict[str, Any]
    is_told: bool = False


@dataclass(frozen=True)
class Attempt:
    """How often a bundle was tried without success, and what went wrong last."""

    bundle: str
    channel: str
    failures: int
    reason: str | None


class AlertBook:
    """The open file. Each method is a transaction of its own."""

    def __init__(self, con: sqlite3.Connection, lock: Path) -> None:
        self._con, self._lock = con, lock

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Only one process sends at a time; others wait, and then find it sent."""
        with self._lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def act(self, action: Action) -> None:
        """Note what a person did."""
        until = action.until.isoformat() if action.until else None
        row = (action.breach_id, action.act, action.who, _text(action.at), until, action.reason, action.assignee)
        with self._con:
            self._con.execute(
                "insert into actions (breach_id, act, who, at, until, reason, assignee) values (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def actions(self) -> list[Action]:
        """Everything that people did, in order."""
        query = "select breach_id, act, who, at, until, reason, assignee from actions order by action"
        return [
            Action(breach, act, who, datetime.fromisoformat(at), date.fromisoformat(until) if until else None, why, to)
            for breach, act, who, at, until, why, to in self._con.execute(query)
        ]

    def begin(self, newest: date) -> None:
        """Note the newest day when delivery is on for the first time: breaches that opened before it are known."""
        with self._con:
            self._con.execute(
                "insert into beginnings select ? where not exists (select 1 from beginnings)", [newest.isoformat()]
            )

    def begun_on(self) -> date | None:
        """The day from which on breaches are told; None where delivery was never on."""
        (day,) = self._con.execute("select min(day) from beginnings").fetchone()
        return date.fromisoformat(day) if day else None

    def told(self) -> list[Message]:
        """Every message there ever was, sent or not."""
        return [_message(row) for row in self._con.execute("select * from messages order by rowid")]

    def queue(self, messages: Iterable[Message], at: datetime) -> int:
        """Add the messages that are not there yet; returns how many. All or none."""
        rows = [
            (one.key, one.bundle, one.breach_id, one.account_id, one.rule, one.event, one.channel,
             one.day.isoformat(), json.dumps(one.facts, default=str), _text(at), int(one.is_told))
            for one in messages
        ]  # fmt: skip
        before = self._con.total_changes
        with self._con:
            self._con.executemany(f"insert or ignore into messages values ({', '.join('?' * 11)})", rows)
        return self._con.total_changes - before

    def unsent(self) -> dict[str, list[Message]]:
        """Bundles that no channel has taken yet, in the order in which they were queued."""
        found: dict[str, list[Message]] = {}
        for row in self._con.execute(_UNSENT):
            message = _message(row)
            found.setdefault(message.bundle, []).append(message)
        return found

    def attempted(self, bundle: str, outcome: Outcome, at: datetime, reason: str | None = None) -> None:
        """Note how an attempt to send a bundle went."""
        with self._con:
            self._con.execute(
                "insert into attempts (bundle, outcome, reason, at) values (?, ?, ?, ?)",
                (bundle, outcome, reason, _text(at)),
            )

    def stuck(self) -> list[Attempt]:
        """Bundles that have failed and are not sent yet."""
        unsent = self.unsent()
        query = "select count(*), max(attempt) from attempts where bundle = ?"
        found = []
        for bundle, messages in unsent.items():
            failures, last = self._con.execute(query, [bundle]).fetchone()
            if failures:
                (reason,) = self._con.execute("select reason from attempts where attempt = ?", [last]).fetchone()
                found.append(Attempt(bundle, messages[0].channel, failures, reason))
        return found


@contextmanager
def open_book(path: Path) -> Iterator[AlertBook]:
    """Open the file, made where there is none; closed on every path. Readable by its owner and group only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    con = sqlite3.connect(path, timeout=WAIT_SECONDS)
    path.chmod(0o640)
    con.row_factory = None
    try:
        con.execute("pragma synchronous = full")
        con.executescript(_TABLES)
        for table in ("actions", "messages", "attempts"):
            for verb in ("update", "delete"):
                con.execute(_APPEND_ONLY.format(table=table, verb=verb))
        yield AlertBook(con, path.with_suffix(".lock"))
    finally:
        con.close()


def _message(row: tuple[Any, ...]) -> Message:
    key, bundle, breach, account, rule, event, channel, day, facts, _, is_told = row
    day_ = date.fromisoformat(day)
    return Message(key, bundle, breach, account, rule, event, channel, day_, json.loads(facts), bool(is_told))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
