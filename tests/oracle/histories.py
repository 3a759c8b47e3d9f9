"""Random histories of accounts as raw rows, for the comparison of the measures with the oracle.

hypothesis draws the shape of a history (how much of each entity, how much of it late, repeated or left blank) and a
seed; `random` expands it, which is a hundred times as fast as drawing every value. Facts fall often on the edges of
the windows: on the first and the last day that counts, and on the day after.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.oracle.facts import Row, Rows

FIRST, LAST = date(2024, 2, 3), date(2024, 3, 31)  # the days that the run scores: among them a leap day
DAYS = tuple(date(2024, month, day) for month, day in ((2, 4), (2, 28), (2, 29), (3, 1), (3, 14), (3, 31)))  # compared
EDGES = (0, 1, 7, 14, 20, 21, 27, 28, 34, 35, 55, 56, 83, 84, 89, 90, 179, 180, 364, 365)
BEGIN = date(2023, 11, 20)
KEY_FEATURES = {
    "default": ["search", "export", "api"],
    "pro": ["search", "audit"],
    "top": ["search", "audit", "sso", "api"],
}
ENGAGEMENT_SINCE = datetime(2024, 2, 5, 8)  # the community was connected then: nothing of it was known before
LAST_TIMED = date(2024, 2, 20)  # after it no event and no solution says how long it took
QUIET = {"tickets": date(2024, 3, 20), "invoices": date(2024, 3, 10)}  # from then on only strangers have any

COLUMNS = {
    "accounts": "account_id segment plan seats has_unlimited_seats created_on ended_on known_at",
    "users": "user_id account_id known_at",
    "subscriptions": "subscription_id account_id mrr is_trial started_on ended_on known_at",
    "usage_events": "event_id account_id user_id event_name occurred_at quantity duration_seconds known_at",
    "tickets": "ticket_id account_id severity created_at first_replied_at first_response_minutes solved_at reopened_at "
    "handling_minutes csat_rating csat_scale csat_at known_at",
    "survey_responses": "response_id account_id user_id kind score scale responded_at known_at",
    "invoices": "invoice_id account_id amount status issued_on due_on paid_on known_at",
    "engagement_events": "engagement_id account_id kind occurred_at rating sentiment known_at",
    "pulses": "account_id pulse given_on expires_on known_at",
}


@dataclass(frozen=True)
class Shape:
    """What makes the history of one account: shares are of 1, sizes are rows by entity."""

    seed: int
    late: float
    repeated: float
    blank: float
    is_stranger: bool
    people: int
    sizes: tuple[tuple[str, int], ...]


def shapes() -> st.SearchStrategy[Shape]:
    """Busy and silent accounts, tidy and untidy sources."""
    many, few = st.sampled_from([0, 1, 3, 10, 30, 60]), st.sampled_from([0, 1, 1, 2, 5])
    entities = {"usage_events": many, "tickets": many, "survey_responses": many, "invoices": many}
    entities |= {"engagement_events": many, "pulses": few, "subscriptions": few, "users": few}
    return st.builds(
        Shape,
        seed=st.integers(0, 2**32),
        late=st.sampled_from([0.0, 0.2, 0.7]),
        repeated=st.sampled_from([0.0, 0.1, 0.4]),
        blank=st.sampled_from([0.0, 0.1, 0.5]),
        is_stranger=st.sampled_from([False] * 19 + [True]),
        people=st.sampled_from([1, 2, 5, 20]),
        sizes=st.tuples(*(st.tuples(st.just(name), size) for name, size in entities.items())),
    )


class History:
    """The rows of one account; `add` makes so many of an entity."""

    def __init__(self, shape: Shape, account: str) -> None:
        self._shape, self._account, self._random = shape, account, random.Random(shape.seed)
        self.rows: Rows = {entity: [] for entity in COLUMNS}
        if not shape.is_stranger:
            self._accounts()
        for entity, size in shape.sizes:
            made = [getattr(self, f"_{entity}")(f"{account}-{number}") for number in range(size)]
            self.rows[entity] = [copy for row in made for copy in self._copies(entity, row)]
            self._random.shuffle(self.rows[entity])

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _or_blank(self, value: Any) -> Any:
        return None if self._chance(self._shape.blank) else value

    def _day(self, entity: str = "") -> date:
        """A day of the span, often on an edge of a window of a day compared; none after the feed has gone quiet."""
        day = BEGIN + timedelta(days=self._random.randrange((LAST - BEGIN).days + 12))
        if self._chance(0.5):
            day = self._random.choice(DAYS) - timedelta(
                days=self._random.choice(EDGES) + self._random.choice((-1, 0, 0, 1))
            )
        quiet = QUIET.get(entity)
        return day if quiet is None or day < quiet or self._shape.is_stranger else day - timedelta(days=30)

    def _is_timed(self, moment: datetime) -> bool:
        """Whether it says how long it took: until LAST_TIMED, of strangers until the first of March."""
        return moment.date() <= (date(2024, 3, 1) if self._shape.is_stranger else LAST_TIMED)

    def _moment(self, day: date) -> datetime:
        hours = self._random.choice((time(), time(23, 59, 59), time(9, 30), time(self._random.randrange(24), 7, 5)))
        return datetime.combine(day, hours)

    def _after(self, moment: datetime, days: int) -> datetime:
        """Some time later, often on the same day; sometimes, by mistake, before."""
        if self._chance(0.03):
            return moment - timedelta(hours=self._random.randrange(1, 60))
        return moment + timedelta(
            days=self._random.choice((0, 0, 1, self._random.randrange(days))), seconds=self._random.randrange(9999)
        )

    def _known(self, happened: date | datetime) -> datetime | None:
        """When it became known: mostly when it happened, perhaps late, rarely before."""
        moment = happened if isinstance(happened, datetime) else datetime.combine(happened, time())
        if self._chance(self._shape.late):
            return moment + timedelta(days=self._random.choice((0, 1, 3, 6, 7, 8, 13, 14, 15, 40)), hours=1)
        if self._chance(0.03):
            return moment - timedelta(days=self._random.randrange(1, 12))
        return moment if self._chance(0.5) else None

    def _copies(self, entity: str, row: Row) -> list[Row]:
        """The row, and perhaps it again: known later or earlier, with something else in it."""
        row = row | {"account_id": self._account}
        if entity == "engagement_events":
            row["known_at"] = max(row["known_at"] or row["occurred_at"], ENGAGEMENT_SINCE)
        if entity == "subscriptions" or not self._chance(self._shape.repeated):
            return [row]
        key = next(name for name in row if name.endswith("_id")) if entity != "pulses" else "given_on"
        fixed = {key, "account_id", "known_at", "created_at", "given_on", "expires_on", "kind"}
        other = getattr(self, f"_{entity}")(row[key])
        again = row | {name: value for name, value in other.items() if name not in fixed and self._chance(0.5)}
        if row["known_at"] is not None:
            again["known_at"] = row["known_at"] + timedelta(days=self._random.choice((-2, 0, 0, 1, 9)))
        if entity == "engagement_events":
            again["known_at"] = max(again["known_at"], ENGAGEMENT_SINCE)
        return [row, again]

    def _accounts(self) -> None:
        created = self._random.choice((date(2021, 5, 1), self._random.choice(DAYS), self._day()))
        known = self._random.choice((None, None, self._moment(created), self._moment(self._day())))
        for _ in range(self._random.choice((1, 1, 2, 4))):
            self.rows["accounts"].append(
                {
                    "account_id": self._account,
                    "segment": self._random.choice(("small", "large", "large", None)),
                    "plan": self._random.choice(("pro", "top", "other", None)),
                    "seats": self._or_blank(self._random.choice((0, 1, 3, 10, 250))),
                    "has_unlimited_seats": self._or_blank(self._chance(0.3)),
                    "created_on": created,
                    "ended_on": self._day() if self._chance(0.1) else None,
                    "known_at": known,
                }
            )
            # Sometimes the same moment again, which does not count; sometimes twice on one day.
            later = timedelta(days=self._random.choice((0, 0, 20, 60)), hours=self._random.choice((0, 1)))
            known = (known or datetime.combine(created, time())) + later

    def _person(self) -> str:
        return f"{self._account}-u{self._random.randrange(self._shape.people)}"

    def _users(self, key: str) -> Row:
        return {"user_id": key, "known_at": self._random.choice((None, self._moment(self._day())))}

    def _usage_events(self, key: str) -> Row:
        occurred = self._moment(self._day())
        seconds = self._random.choice((0, 30, 600, 5000)) if self._is_timed(occurred) else None
        return {
            "event_id": self._or_blank(key),
            "user_id": self._or_blank(self._person()),
            "event_name": self._or_blank(self._random.choice(("search", "export", "api", "audit", "sso", "login"))),
            "occurred_at": occurred,
            "quantity": self._random.choice((None, 0, 1, 4, 25)),
            "duration_seconds": self._or_blank(seconds),
            "known_at": self._known(occurred),
        }

    def _tickets(self, key: str) -> Row:
        created = self._moment(self._day("tickets"))
        replied, solved = self._after(created, 9), self._after(created, 60)
        has_end = self._chance(0.7)
        return {
            "ticket_id": key,
            "severity": self._or_blank(self._random.choice(("urgent", "high", "normal", "low"))),
            "created_at": created,
            "first_replied_at": replied if self._chance(0.5) else None,
            "first_response_minutes": self._random.choice((None, 0, 0.5, 17.3333, 4000, 99999999)),
            "solved_at": solved if has_end else None,
            "reopened_at": self._after(self._random.choice((created, solved)), 30) if self._chance(0.3) else None,
            "handling_minutes": self._or_blank(self._random.randrange(500) / 4)
            if solved.date() <= LAST_TIMED
            else None,
            "csat_rating": self._random.choice((None, 0, 1, 2.5, 3, 4, 5, 7)),
            "csat_scale": self._random.choice((None, 4, 7)),
            "csat_at": self._after(solved, 20) if self._chance(0.4) else None,
            "known_at": self._known(created),
        }

    def _survey_responses(self, key: str) -> Row:
        responded = self._moment(self._day())
        return {
            "response_id": key,
            "user_id": self._or_blank(self._person()),
            "kind": self._random.choice(("nps", "nps", "csat", "ces")),
            "score": self._random.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 6.5)),
            "scale": self._random.choice((None, None, 4, 7, 10)),
            "responded_at": responded,
            "known_at": self._known(responded),
        }

    def _subscriptions(self, key: str) -> Row:
        started = self._random.choice((date(2022, 12, 5), self._day(), self._day() - timedelta(days=200)))
        ended = self._random.choice((None, None, started + timedelta(days=self._random.randrange(500)), self._day()))
        return {
            "subscription_id": key.replace("-3", "-1").replace("-4", "-1"),  # several versions of one
            "mrr": self._random.choice((0, 49.99, 100, 1000.01, 333.3333, None)),
            "is_trial": self._or_blank(self._chance(0.2)),
            "started_on": started,
            "ended_on": ended,
            "known_at": self._known(started),
        }

    def _invoices(self, key: str) -> Row:
        issued = self._day("invoices")
        due = issued + timedelta(days=self._random.choice((0, 14, 30, 60)))
        paid = self._random.choice((None, due, due + timedelta(days=self._random.randrange(-20, 70))))
        return {
            "invoice_id": key,
            "amount": self._random.choice((0.1, 99.99, 1234.5678, -20, 0)) if self._chance(0.98) else None,
            "status": self._random.choice(("open", "paid", "void", "draft", "cancelled", "sent", None)),
            "issued_on": issued,
            "due_on": due,
            "paid_on": paid,
            "known_at": self._known(issued),
        }

    def _engagement_events(self, key: str) -> Row:
        occurred = self._moment(self._day())
        kinds = ("community_post", "community_answer", "review", "social_mention", "touchpoint", "meeting", "training")
        return {
            "engagement_id": key,
            "kind": self._random.choice(kinds),
            "occurred_at": occurred,
            "rating": self._or_blank(self._random.choice((1, 2.5, 4, 5))),
            "sentiment": self._or_blank(self._random.choice((-1, -0.3333, 0, 0.1, 1))),
            "known_at": self._known(occurred),
        }

    def _pulses(self, key: str) -> Row:
        given = self._day()
        return {
            "pulse": self._random.randrange(1, 6),
            "given_on": given,
            "expires_on": self._random.choice((None, given + timedelta(days=self._random.randrange(1, 90)))),
            "known_at": self._known(given),
        }


def expanded(shapes: list[Shape]) -> Rows:
    """The raw rows of all accounts, by entity, as they stand in the files."""
    rows: Rows = {entity: [] for entity in COLUMNS}
    for number, shape in enumerate(shapes):
        for entity, found in History(shape, f"A{number:04}").rows.items():
            rows[entity].extend(found)
    return rows
