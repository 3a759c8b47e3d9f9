"""What each CRM took last, and what it refused: `write_back.sqlite`. What is not in it is sent again, without harm.

    with open_book(path) as book, book.sending():
        book.note("hubspot", taken, refused, now)     # after the CRM's answer
        book.last("hubspot", customer_ids)

Rows are only added. Those that a later row of the same customer has made old may go, so that the file does not grow for
ever.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

WAIT_SECONDS = 30.0  # for another process that writes; each writes for milliseconds
KEPT_DAYS = 30  # of what is old

_TABLES = """
create table if not exists attempts (
    attempt integer primary key, target text not null, customer_id text not null, account_id text not null,
    outcome text not null, hash text not null, content text not null, reason text, at text not null
) strict;
create index if not exists attempts_of_customer on attempts (target, customer_id, outcome, attempt);
create trigger if not exists attempts_update before update on attempts
begin select raise(abort, 'attempts is append-only'); end;
create trigger if not exists attempts_delete before delete on attempts
when not exists (
    select 1 from attempts as later
    where later.target = old.target and later.customer_id = old.customer_id and later.outcome = old.outcome
        and later.attempt > old.attempt
)
begin select raise(abort, 'the newest attempt of a customer stays'); end;
"""
_LAST = """
select customer_id, max(case when outcome = 'taken' then attempt end), max(attempt)
from attempts
where target = ? and customer_id in ({marks}) and attempt <= ?
group by customer_id
"""
_OLD = """
delete from attempts where at < ? and exists (
    select 1 from attempts as later
    where later.target = attempts.target and later.customer_id = attempts.customer_id
        and later.outcome = attempts.outcome and later.attempt > attempts.attempt
)
"""

Content = str | float | None


@dataclass(frozen=True)
class Record:
    """One customer of a CRM, and the value that each of its fields is to have."""

    account_id: str
    customer_id: str
    values: Mapping[str, Content]

    @property
    def content(self) -> str:
        """The values as text that is the same whenever they are."""
        return json.dumps(self.values, sort_keys=True, ensure_ascii=False)

    @property
    def hash(self) -> str:
        """16 hexadecimal digits over the values."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Last:
    """The hash of the values that a CRM took last of a customer, if any; and whether it refused what came after."""

    hash: str | None
    was_refused: bool


class WriteBackBook:
    """The open file. Each method is a transaction of its own."""

    def __init__(self, con: sqlite3.Connection, lock: Path) -> None:
        self._con, self._lock = con, lock

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Only one process sends at a time; others wait, and then find it sent."""
        with self._lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def newest(self) -> int:
        """The number of the newest attempt; 0 where there is none."""
        (attempt,) = self._con.execute("select coalesce(max(attempt), 0) from attempts").fetchone()
        return int(attempt)

    def last(self, target: str, customers: Sequence[str], until: int) -> dict[str, Last]:
        """What is known of these customers, by id, as of the attempt `until`; nothing of those never tried."""
        query = _LAST.format(marks=", ".join("?" * len(customers)))
        found = self._con.execute(query, [target, *customers, until]).fetchall()
        hashes: dict[int, str] = dict(
            self._con.execute(
                f"select attempt, hash from attempts where attempt in ({', '.join('?' * len(found))})",
                [taken for _, taken, _ in found],
            )
        )
        return {customer: Last(hashes.get(taken), taken != newest) for customer, taken, newest in found}

    def note(self, target: str, records: Iterable[Record], refused: Mapping[str, str], at: datetime) -> None:
        """Note that a CRM took these records, but for those that it `refused`, by customer, with its reason."""
        rows = []
        for one in records:
            reason = refused.get(one.customer_id)
            outcome = "taken" if reason is None else "refused"
            rows.append(
                (target, one.customer_id, one.account_id, outcome, one.hash, one.content, reason, at.isoformat())
            )
        with self._con:
            self._con.executemany(
                "insert into attempts (target, customer_id, account_id, outcome, hash, content, reason, at) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def forget(self, now: datetime) -> int:
        """Let go of what is old and later than which there is something; returns how many rows."""
        with self._con:
            return self._con.execute(_OLD, [(now - timedelta(days=KEPT_DAYS)).isoformat()]).rowcount


@contextmanager
def open_book(path: Path) -> Iterator[WriteBackBook]:
    """Open the file, made where there is none; closed on every path. Readable by its owner and group only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    con = sqlite3.connect(path, timeout=WAIT_SECONDS)
    path.chmod(0o640)
    try:
        con.execute("pragma journal_mode = wal")
        con.execute("pragma synchronous = full")
        con.executescript(_TABLES)
        yield WriteBackBook(con, path.with_suffix(".lock"))
    finally:
        con.close()
