"""What the sample company is made from: a seed, a number of accounts and a span of months."""

from __future__ import annotations

import calendar
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

GENERATOR_VERSION = 1  # raise it whenever the same seed gives other bytes: landings of an older version are made anew
MOST_ACCOUNT_MONTHS = 90_000  # about 9 million events
NEVER = 1_000_000  # a day that does not come

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# One row of a file. The key "_planted" (a dirt.Plant) marks a row that is wrong on purpose; it is not written.
Row = dict[str, object]


class SampleError(Exception):
    """The sample company cannot be made as asked; the message says what to do."""


@dataclass(frozen=True)
class Parameters:
    """One sample company.

    Days are counted from `first_day` (day 0); a customer may have joined on a negative day.

    Raises SampleError for a company too small to hold every kind of account, or too large for its ids.
    """

    seed: int = 7
    accounts: int = 300
    months: int = 18
    first_day: date = date(2025, 1, 1)

    def __post_init__(self) -> None:
        if self.seed < 0 or self.accounts < 20 or self.months < 4:
            raise SampleError(
                f"seed {self.seed}, accounts {self.accounts}, months {self.months}: "
                "a sample company needs a seed of 0 or more, at least 20 accounts and at least 4 months"
            )
        if self.accounts * self.months > MOST_ACCOUNT_MONTHS:
            raise SampleError(
                f"{self.accounts} accounts over {self.months} months: accounts times months may be "
                f"{MOST_ACCOUNT_MONTHS} at most, else the ids of events run out of digits"
            )

    @property
    def last_day(self) -> date:
        """The last day of the last month; nothing later is known."""
        months = self.first_day.year * 12 + self.first_day.month - 1 + self.months - 1
        year, month = months // 12, months % 12 + 1
        return date(year, month, calendar.monthrange(year, month)[1])

    @property
    def days(self) -> int:
        """Number of days from the first to the last."""
        return (self.last_day - self.first_day).days + 1

    def date_of(self, day: int) -> date:
        """The calendar date of a day's number."""
        return self.first_day + timedelta(days=int(day))

    def day_of(self, when: date) -> int:
        """The number of a calendar date; the inverse of `date_of`."""
        return (when - self.first_day).days

    def moment(self, day: int, seconds: int) -> datetime:
        """A time: so many seconds after the midnight that begins the day."""
        return datetime.combine(self.date_of(day), datetime.min.time()) + timedelta(seconds=int(seconds))

    @property
    def end(self) -> datetime:
        """The midnight after the last day: what happens from then on is not in the files."""
        return self.moment(self.days, 0)

    def stream(self, domain: str) -> np.random.Generator:
        """Random numbers of one domain; apart, so that a change in one domain leaves the others' rows as they were."""
        return np.random.default_rng([self.seed, zlib.crc32(domain.encode())])
