"""The health of accounts, written back to the CRMs that know them: what has changed is sent, then noted as taken.

A value is lost by no crash: what is not noted is sent by the next run. It is sent twice only where a crash fell between
the CRM's answer and the note, which changes nothing there.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.destinations.mart_files import MART_SCHEMA
from dagster_project.destinations.sql import fault, opened
from dagster_project.destinations.write_back_book import Record, WriteBackBook
from dagster_project.destinations.write_back_targets import UNSAID, WAYS, Way
from dagster_project.http_client import BadRequestError, Client, NotFoundError, ProviderError
from dagster_project.provider_settings import MissingKeyError
from dagster_project.settings import Settings
from dagster_project.warehouse import quoted
from dagster_project.write_back_settings import Target, Value

ROWS_LISTED = 200  # of those that a CRM refused
REFUSED_ALONE = 20  # rows in a row, each refused by itself: then it is not the rows
_ROWS_READ = 500  # at once; so many are looked up in the book together

# Rounded: what a person would not see changes nothing in a CRM.
_SQL: dict[Value, str] = {
    "score": "round(health.score, 1)::double + 0",
    "band": "health.band",
    "change": "round(health.trend_7d, 1)::double + 0",
    "drivers": "nullif(concat_ws('; ', health.drivers_down, health.drivers_up), '')",
    "day": "health.day::varchar",
    "status": "health.status",
}


class WriteBackError(Exception):
    """The published mart cannot be read; the text says why and what to do."""


@dataclass(frozen=True)
class NotTaken:
    """An account's record that a CRM refused, with its word for the reason."""

    account_id: str
    customer_id: str
    reason: str


@dataclass
class Written:
    """What became of a target's records.

    `refused` lists the first of those that the CRM refused; `reasons` counts all of them. `trouble` says why it was
    stopped before the end; `waiting` are those not tried then.
    """

    target: str
    sent: int = 0
    unchanged: int = 0
    waiting: int = 0
    without_id: int = 0
    calls: int = 0
    refused: list[NotTaken] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None

    @property
    def failed(self) -> int:
        """How many the CRM refused."""
        return self.reasons.total()

    @property
    def told(self) -> str:
        """The counts in words."""
        parts = [f"{self.sent} sent", f"{self.unchanged} unchanged"]
        parts += [f"{self.failed} refused"] if self.failed else []
        parts += [f"{self.waiting} not tried"] if self.waiting else []
        return f"{self.target}: {', '.join(parts)}; {self.without_id} accounts without an id there"

    @property
    def troubles(self) -> list[str]:
        """A sentence for what was refused, and one for why it was stopped."""
        reasons = ", ".join(f"{reason} ({count})" for reason, count in self.reasons.most_common(5))
        found = [f"{self.target} refused {_records(self.failed)}: {reasons}."] if self.failed else []
        if self.trouble:
            found.append(f"{self.trouble}. {_records(self.waiting)} of {self.target} were not tried.")
        return [*found, "The next run tries again."] if found else []


@dataclass
class Due:
    """What a target would be sent now: the records that it has not taken, read as they are asked for.

    Those that it refused when last tried come last, so that they hold up no others. The counts are those of what has
    been read so far.
    """

    mart: Path
    name: str
    target: Target
    book: WriteBackBook
    changed: int = 0
    unchanged: int = 0

    def __iter__(self) -> Iterator[Record]:
        until = self.book.newest()
        for was_refused in (False, True):
            for records in self._read():
                last = self.book.last(self.name, [one.customer_id for one in records], until)
                for one in records:
                    known = last.get(one.customer_id)
                    if (known is not None and known.was_refused) != was_refused:
                        continue
                    if known is not None and known.hash == one.hash:
                        self.unchanged += 1
                    else:
                        self.changed += 1
                        yield one

    def without_id(self) -> int:
        """How many accounts have no customer there."""
        query = (
            "select count(*) from current_health where account_id not in "
            "(select account_id from dim_account_links where source = $source)"
        )
        (rows,) = _queried(self.mart, query, self.name)
        return int(rows[0][0])

    def _read(self) -> Iterator[list[Record]]:
        fields = self.target.fields
        values = "".join(f", {_SQL[value]}" for value in fields.values())
        query = (
            f"select links.account_id, links.customer_id{values} from current_health as health "
            "join dim_account_links as links using (account_id) where links.source = $source "
            "order by links.account_id, links.customer_id"
        )
        for rows in _queried(self.mart, query, self.name):
            yield [
                Record(account, customer, dict(zip(fields, values, strict=True))) for account, customer, *values in rows
            ]


def write_back(
    settings: Settings,
    name: str,
    book: WriteBackBook,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] | None = None,
) -> Written:
    """Send a target what has changed and what it has not taken yet. Raises WriteBackError; a CRM that fails is told.

    Nothing is asked of the CRM where nothing has changed.
    """
    due = due_of(settings, name, book)
    done = Written(name, without_id=due.without_id())
    with book.sending():
        book.forget(clock())
        records = iter(due)
        try:
            first = next(records, None)
            if first is not None:
                source, way = settings.sources.providers[name], WAYS[name]
                api = way.connect(source, environ)
                try:
                    _Sender(api, way, due.target, book, clock, done).send(itertools.chain([first], records))
                finally:
                    done.calls = api.calls
                    api.close()
        except (ProviderError, MissingKeyError) as error:
            done.trouble = str(error).rstrip(".")
            for _ in records:  # counts them
                pass
    done.unchanged = due.unchanged
    done.waiting = due.changed - done.sent - done.failed
    return done


def due_of(settings: Settings, name: str, book: WriteBackBook) -> Due:
    """What a target would be sent now."""
    return Due(settings.mart_folder / "mart.duckdb", name, settings.write_back.targets[name], book)


@dataclass
class _Sender:
    """Sends batches, and notes each part of one as soon as the CRM has answered."""

    api: Client
    way: Way
    target: Target
    book: WriteBackBook
    clock: Callable[[], datetime]
    done: Written
    alone: int = 0  # rows in a row that were refused, each by itself

    def send(self, records: Iterator[Record]) -> None:
        while batch := list(itertools.islice(records, self.way.batch)):
            self._take(batch)

    def _take(self, records: Sequence[Record]) -> None:
        """What is refused as a whole is halved, until the guilty row stands alone."""
        try:
            refused = self.way.send(self.api, self.target, records)
        except (BadRequestError, NotFoundError) as error:
            if len(records) > 1:
                middle = len(records) // 2
                self._take(records[:middle])
                self._take(records[middle:])
                return
            refused = {records[0].customer_id: error.code or UNSAID}
            self.alone += 1
        else:
            self.alone = 0
        self._note(records, refused)
        if self.alone >= REFUSED_ALONE:
            reason = next(iter(refused.values()))
            raise ProviderError(
                f"{self.done.target}: {self.alone} records in a row were refused, the last with {reason}: look at "
                f"`write_back.{self.done.target}.fields` in pipeline.yml, and whether they are there"
            )

    def _note(self, records: Sequence[Record], refused: Mapping[str, str]) -> None:
        self.book.note(self.done.target, records, refused, self.clock())
        self.done.sent += len(records) - len(refused)
        self.done.reasons.update(refused.values())
        listed = (one for one in records if one.customer_id in refused)
        for one in itertools.islice(listed, max(ROWS_LISTED - len(self.done.refused), 0)):
            self.done.refused.append(NotTaken(one.account_id, one.customer_id, refused[one.customer_id]))


def _queried(mart: Path, query: str, source: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query, some at a time."""
    if not mart.is_file():
        raise WriteBackError(f"{mart}: there is no published mart yet; run the pipeline first (make run)")
    try:
        with opened(mart, "mart", {}) as con:
            con.execute(f"use {quoted('mart', MART_SCHEMA)}")
            found = con.execute(query, {"source": source})
            while rows := found.fetchmany(_ROWS_READ):
                yield rows
    except duckdb.Error as error:
        raise WriteBackError(f"{mart}: {fault(error)}; a run publishes it anew (make run)") from error


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"
