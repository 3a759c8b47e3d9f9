"""What becomes of each account: its archetype, when it joined, when it declines, decides to leave and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from sample.parameters import NEVER, Ints, Parameters

CHURN_A_YEAR = 0.135  # accounts that decide to leave, per account and year
TENURE_SHARE = 0.82  # share of the span for which the average account is a customer

STAYING = {
    "steady": 0.47,
    "growing": 0.17,
    "shrinking": 0.08,
    "recovering": 0.09,
    "struggling": 0.09,
    "silent": 0.05,
    "never_used": 0.05,
}
LEAVING = {"leaving": 0.76, "leaving_suddenly": 0.12, "silent": 0.08, "never_used": 0.04}
JOINS_LATER = ("steady", "growing", "struggling", "never_used")  # the others need a past to decline from
LEAVES_MORE = {"enterprise": 0.7, "mid_market": 1.0, "smb": 1.3}
NOTICE_DAYS = {"enterprise": 60, "mid_market": 45, "smb": 30}


@dataclass(frozen=True)
class Fates:
    """One entry an account; days count from the first day, NEVER where the thing does not happen.

    `declines` is the day the hidden health starts to fall, `decided` the day the customer decides to leave,
    `left` the first day on which they are no longer a customer, `downgraded` the day a smaller contract begins.
    """

    archetype: list[str]
    joined: Ints
    declines: Ints
    decided: Ints
    left: Ints
    downgraded: Ints


def draw_fates(parameters: Parameters, segment: list[str]) -> Fates:
    """Deal out archetypes and dates; the number of leavers is set, not drawn, so that churn is 12-15 % a year."""
    rng = parameters.stream("fates")
    number = parameters.accounts
    weights = np.array([LEAVES_MORE[one] for one in segment])
    expected = CHURN_A_YEAR * TENURE_SHARE * number * parameters.months / 12
    leavers = rng.choice(number, size=max(2, round(expected)), replace=False, p=weights / weights.sum())
    stayers = np.setdiff1d(np.arange(number), leavers)
    archetype = [""] * number
    for group, shares in ((leavers, LEAVING), (stayers, STAYING)):
        for account, name in zip(rng.permutation(group), _deal(shares, len(group)), strict=True):
            archetype[int(account)] = name
    fates = Fates(archetype, *(np.full(number, NEVER, dtype=np.int64) for _ in range(5)))
    lefts = _spread(rng, len(leavers), min(180, round(0.6 * parameters.days)), parameters.days + 30)
    for account, left in zip(leavers, lefts, strict=True):
        _draw_leaver(parameters, rng, fates, int(account), NOTICE_DAYS[segment[account]], int(left))
    for account in stayers:
        _draw_stayer(parameters, rng, fates, int(account))
    return fates


def _deal(shares: dict[str, float], number: int) -> list[str]:
    """So many names in the given shares; what rounding leaves goes to the largest remainders."""
    counts = {name: int(share * number) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - shares[name] * number)
    for name in by_remainder[: number - sum(counts.values())]:
        counts[name] += 1
    return [name for name, count in counts.items() for _ in range(count)]


def _spread(rng: np.random.Generator, number: int, low: int, high: int) -> Ints:
    """Days spread evenly over [low, high) with a jitter, so that no quarter is without leavers."""
    edges = low + (high - low) * (np.arange(number) + rng.random(number)) / number
    return rng.permutation(edges.astype(np.int64))


def _draw_leaver(
    parameters: Parameters, rng: np.random.Generator, fates: Fates, account: int, notice: int, left: int
) -> None:
    """Dates of an account that leaves at the end of a contract year, having decided in time to give notice."""
    days = parameters.days
    decided = min(left - notice - int(rng.integers(0, 16)), days - 3)
    decided = max(decided, round(0.4 * days))
    left_date = _before_29th(parameters.date_of(max(left, decided + 5)))
    fates.left[account] = parameters.day_of(left_date)
    fates.decided[account] = min(decided, int(fates.left[account]) - 2)
    if fates.archetype[account] in ("leaving", "silent"):
        earliest = min(45, round(0.2 * days))
        fates.declines[account] = max(decided - int(rng.integers(60, 141)), earliest)
    calm_until = min(int(fates.declines[account]), decided)
    fates.joined[account] = _joined_years_before(parameters, rng, left_date, calm_until - 90)


def _draw_stayer(parameters: Parameters, rng: np.random.Generator, fates: Fates, account: int) -> None:
    """Dates of an account that is still a customer at the end."""
    days, archetype = parameters.days, fates.archetype[account]
    joins_later = archetype in JOINS_LATER and rng.random() < 0.38
    joined = int(rng.integers(5, days - 25)) if joins_later else -int(rng.integers(30, 1460))
    fates.joined[account] = parameters.day_of(_before_29th(parameters.date_of(joined)))
    if archetype == "shrinking":
        smaller = _before_29th(parameters.date_of(int(days * rng.uniform(0.35, 0.9))))
        fates.downgraded[account] = parameters.day_of(smaller)
        earliest = round(0.1 * days)
        fates.declines[account] = max(int(fates.downgraded[account]) - int(rng.integers(70, 131)), earliest)
        fates.joined[account] = _joined_years_before(parameters, rng, smaller, int(fates.declines[account]) - 90)
    if archetype in ("recovering", "silent"):
        fates.declines[account] = int(days * rng.uniform(0.15, 0.75))


def _joined_years_before(parameters: Parameters, rng: np.random.Generator, end: date, latest: int) -> int:
    """A joining day some whole years before a contract's end, and not after `latest`."""
    years = int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])) + 1
    while (joined := parameters.day_of(end.replace(year=end.year - years))) > latest:
        years += 1
    return joined


def _before_29th(when: date) -> date:
    """The same date, or the 28th: a day that every month has, so that anniversaries and monthly invoices exist."""
    return when.replace(day=min(when.day, 28))
