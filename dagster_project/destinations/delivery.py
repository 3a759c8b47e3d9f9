"""Telling people of breaches: what is due is written down first, then sent, then marked.

A message is lost by no crash: what is written down and not marked is sent by the next run, under the same idempotency
key. It comes twice only where a crash fell between the channel's answer and the mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from dagster_project.destinations.alert_book import AlertBook, Attempt, Message
from dagster_project.destinations.alert_messages import due_messages, newest_day
from dagster_project.destinations.channels import ChannelError, send
from dagster_project.scorecards.delivery import Delivery

FAILURES_IN_A_ROW = 3  # then a channel is left alone until the next run


@dataclass
class Delivered:
    """What a run told: messages queued, bundles sent by channel, and those that no channel has taken yet."""

    queued: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    stuck: list[Attempt] = field(default_factory=list)
    waiting: int = 0  # bundles not tried, because their channel failed before them or is gone from config

    @property
    def troubles(self) -> list[str]:
        """A sentence for each channel that messages are stuck in."""
        reasons = {attempt.channel: attempt.reason for attempt in self.stuck}
        counts = Counter(attempt.channel for attempt in self.stuck)
        return [
            f"channel {name}: {counts[name]} message{'s' if counts[name] > 1 else ''} could not be sent: {reason}. "
            "The next run tries again."
            for name, reason in sorted(reasons.items())
        ]


def queue(mart: Path, delivery: Delivery, book: AlertBook, now: datetime) -> int:
    """Write down what is due; returns how many messages are new."""
    newest = newest_day(mart)
    if newest is None:
        return 0
    book.begin(newest)
    return book.queue(due_messages(mart, delivery, book, newest), now)


def deliver(
    mart: Path,
    delivery: Delivery,
    book: AlertBook,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] | None = None,
) -> Delivered:
    """Write down what is due and send all that is not sent. A channel that fails holds up no other."""
    with book.sending():
        return _deliver(mart, delivery, book, clock, environ)


def tell_owner(
    messages: Callable[[date], list[Message]],
    delivery: Delivery,
    book: AlertBook,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] | None = None,
) -> Delivered:
    """Tell the data owner, each thing once, what `messages` has for today; and send all that no channel has taken."""
    with book.sending():
        at = clock()
        return _send(Delivered(queued=book.queue(messages(at.date()), at)), delivery, book, clock, environ)


def _deliver(
    mart: Path,
    delivery: Delivery,
    book: AlertBook,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] | None,
) -> Delivered:
    return _send(Delivered(queued=queue(mart, delivery, book, clock())), delivery, book, clock, environ)


def _send(
    done: Delivered,
    delivery: Delivery,
    book: AlertBook,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] | None,
) -> Delivered:
    failures: Counter[str] = Counter()
    for bundle, messages in book.unsent().items():
        name = messages[0].channel
        if name not in delivery.channels or failures[name] >= FAILURES_IN_A_ROW:
            done.waiting += 1
            continue
        try:
            send(delivery.channels[name], messages, environ)
        except ChannelError as error:
            failures[name] += 1
            book.attempted(bundle, "failed", clock(), str(error))
        else:
            failures[name] = 0
            done.sent[name] += 1
            book.attempted(bundle, "sent", clock())
    done.stuck = book.stuck()
    return done


def would_send(mart: Path, delivery: Delivery, book: AlertBook) -> list[Sequence[Message]]:
    """The bundles that `deliver` would send now. Writes nothing."""
    found: dict[str, list[Message]] = dict(book.unsent())
    newest = newest_day(mart)
    for message in due_messages(mart, delivery, book, newest) if newest else ():
        if not message.is_told:
            found.setdefault(message.bundle, []).append(message)
    return list(found.values())
