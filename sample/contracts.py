"""Contracts over time: what was bought when, and from it the files accounts, subscriptions and outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np

from sample.company import Company
from sample.fates import NOTICE_DAYS
from sample.parameters import NEVER, Ints, Row

RENEWING_DAYS = 90  # before a renewal an account's stage is `renewing`
PRIORITY = {"enterprise": 1, "mid_market": 2, "smb": 3}
ADD_ON_SHARE = 0.3  # of enterprise accounts that split their price over two subscriptions


@dataclass(frozen=True)
class Term:
    """What an account pays for from a day on. `mrr` is whole dollars a month; `decided` the day they agreed to it."""

    starts: int
    decided: int
    kind: str
    seats: int
    mrr: int


def draw_terms(company: Company) -> list[list[Term]]:
    """Each account's terms in order: the first contract, then renewals, expansions and downgrades."""
    rng = company.parameters.stream("contracts")
    return [_terms_of(company, rng, account) for account in range(company.parameters.accounts)]


def anniversaries(company: Company, account: int) -> list[int]:
    """Days on which contract years end: from the first year's to the first one after the last day."""
    joined = company.parameters.date_of(int(company.fates.joined[account]))
    found: list[int] = []
    while not found or found[-1] < company.parameters.days:
        year = joined.year + len(found) + 1
        found.append(company.parameters.day_of(date(year, joined.month, joined.day)))
    return found


def seats_by_day(company: Company, terms: list[list[Term]]) -> Ints:
    """Account x day: seats bought."""
    seats = np.zeros((len(terms), company.parameters.days), dtype=np.int64)
    for account, own in enumerate(terms):
        for term in own:
            seats[account, max(0, term.starts) :] = term.seats
    return seats


def _terms_of(company: Company, rng: np.random.Generator, account: int) -> list[Term]:
    """The first contract, then one term for each change in the span, in order of time."""
    fates, days = company.fates, company.parameters.days
    last = min(int(fates.decided[account]), days)
    joined, seats = int(fates.joined[account]), company.seats[account]
    notice = NOTICE_DAYS[company.segment[account]]
    changes = [(day, "renewal") for day in anniversaries(company, account) if 0 <= day < last]
    if company.fates.archetype[account] == "growing":
        changes += [(day, "expansion") for day in _expansion_days(rng, joined, last, days)]
    terms = [Term(joined, joined, "new", seats, max(20, round(seats * company.seat_price[account])))]
    for day, kind in sorted(changes):
        decided = day - (notice + int(rng.integers(0, 20)) if kind == "renewal" else int(rng.integers(5, 21)))
        outcome, factor, uplift = _change(company, rng, account, day, kind)
        seats = max(1, terms[-1].seats + 1 if outcome == "expansion" else 0, round(terms[-1].seats * factor))
        price = terms[-1].mrr / terms[-1].seats * uplift
        terms.append(Term(day, decided, outcome, seats, max(20, round(seats * price))))
    return terms


def _expansion_days(rng: np.random.Generator, joined: int, last: int, days: int) -> list[int]:
    """One or two days, two months apart or more, on which a growing account buys more seats."""
    low = max(joined + 100, round(0.2 * days))
    if low >= last - 5:
        return []
    first = int(rng.integers(low, last - 4))
    second = first + int(rng.integers(60, 260))
    return [first] if second >= last - 5 else [first, second]


def _change(company: Company, rng: np.random.Generator, account: int, day: int, kind: str) -> tuple[str, float, float]:
    """What a change turns out to be, the factor on its seats and the factor on the price of a seat."""
    archetype = company.fates.archetype[account]
    if kind == "expansion":
        return kind, float(rng.uniform(1.12, 1.4)), 1.0
    if day == company.fates.downgraded[account]:
        return "downgrade", float(rng.uniform(0.5, 0.75)), 1.0
    if archetype == "struggling" and rng.random() < 0.3:
        return "downgrade", float(rng.uniform(0.7, 0.85)), 1.0
    if archetype in ("steady", "growing") and rng.random() < 0.5:
        return kind, 1.0, float(rng.uniform(1.01, 1.05))
    return kind, 1.0, 1.0


def account_rows(company: Company, terms: list[list[Term]]) -> list[Row]:
    """Versions of the accounts: a row whenever stage, revenue, seats, renewal day or manager changed."""
    rng = company.parameters.stream("accounts")
    rows: list[Row] = []
    for account in range(company.parameters.accounts):
        rows.extend(_versions_of(company, rng, account, terms[account]))
    return rows


def _versions_of(company: Company, rng: np.random.Generator, account: int, terms: list[Term]) -> list[Row]:
    """The versions of one account, oldest first; nothing changes after the customer decided to leave."""
    parameters, fates = company.parameters, company.fates
    joined, decided = int(fates.joined[account]), int(fates.decided[account])
    ends = anniversaries(company, account)
    changes: dict[int, Row] = {}

    def change(day: int, **values: object) -> None:
        if joined <= day < min(decided, parameters.days):
            changes.setdefault(day, {}).update(values)

    change(joined, stage="onboarding", renews_on=parameters.date_of(ends[0]))
    change(joined + int(rng.integers(60, 91)), stage="adopted")
    for number, end in enumerate(ends[:-1]):
        change(end, stage="adopted", renews_on=parameters.date_of(ends[number + 1]))
    for end in ends:
        change(end - RENEWING_DAYS, stage="renewing")
    for term in terms:
        change(term.starts, seats=term.seats, arr_usd=12 * term.mrr)
    for since, name in company.managers[account]:
        change(max(since, joined), csm=name)
    if decided < parameters.days:
        changes[decided] = {"stage": "leaving", "left_on": parameters.date_of(int(fates.left[account]))}
    version = _fixed_columns(company, account)
    rows: list[Row] = []
    for day in sorted(changes):
        version = {**version, **changes[day], "updated_at": _office_time(company, rng, day)}
        rows.append(version)
    return rows


def _fixed_columns(company: Company, account: int) -> Row:
    """The columns of accounts.csv that hold for all versions, and the names of the others."""
    parent = company.parent[account]
    return {
        "id": company.account_id[account],
        "name": company.name[account],
        "segment": company.segment[account],
        "plan": company.plan[account],
        "stage": None,
        "industry": company.industry[account],
        "region": company.region[account],
        "csm": None,
        "parent_id": None if parent is None else company.account_id[parent],
        "arr_usd": None,
        "seats": None,
        "priority": PRIORITY[company.segment[account]],
        "customer_since": company.parameters.date_of(int(company.fates.joined[account])),
        "renews_on": None,
        "notice_days": NOTICE_DAYS[company.segment[account]],
        "left_on": None,
        "updated_at": None,
    }


def _office_time(company: Company, rng: np.random.Generator, day: int) -> datetime:
    """A time of the day at which somebody changes a record."""
    return company.parameters.moment(day, int(rng.integers(8 * 3600, 18 * 3600)))


def subscription_shares(company: Company) -> list[list[tuple[str, float]]]:
    """For each account its subscriptions' ids and the share of the price each of them carries."""
    rng = company.parameters.stream("add-ons")
    shares = []
    for account, segment in enumerate(company.segment):
        main = f"S{account + 1:04d}-1"
        splits = rng.random() < ADD_ON_SHARE and segment == "enterprise"
        shares.append([(main, 0.8), (f"S{account + 1:04d}-2", 0.2)] if splits else [(main, 1.0)])
    return shares


def subscription_rows(company: Company, terms: list[list[Term]]) -> list[Row]:
    """Versions of the subscriptions: a row when the terms changed, and one when the end was settled."""
    rng = company.parameters.stream("subscriptions")
    fates, parameters = company.fates, company.parameters
    rows: list[Row] = []
    for account, shares in enumerate(subscription_shares(company)):
        for number, (identifier, _) in enumerate(shares):
            row: Row = {}
            for term in terms[account]:
                row = {
                    "id": identifier,
                    "account_id": company.account_id[account],
                    "plan": company.plan[account],
                    "status": "active",
                    "mrr_usd": f"{split_mrr(term.mrr, len(shares))[number]}.00",
                    "seats": term.seats if number == 0 else None,
                    "start_date": parameters.date_of(int(fates.joined[account])),
                    "end_date": None,
                    "updated_at": _office_time(company, rng, term.starts),
                }
                rows.append(row)
            if fates.decided[account] < parameters.days:
                told = _office_time(company, rng, int(fates.decided[account]))
                end = parameters.date_of(int(fates.left[account]))
                rows.append({**row, "status": "cancelled", "end_date": end, "updated_at": told})
    return rows


def split_mrr(mrr: int, parts: int) -> list[int]:
    """Whole dollars of each subscription; together exactly the account's."""
    return [mrr] if parts == 1 else [mrr - mrr // 5, mrr // 5]


def outcome_rows(company: Company, terms: list[list[Term]]) -> list[Row]:
    """What customers decided in the span; the amount is annual revenue kept (renewal), won (expansion) or lost."""
    parameters, fates = company.parameters, company.fates
    found: list[tuple[int, int, str, int]] = []
    for account, own in enumerate(terms):
        for before, term in pairwise(own):
            amount = term.mrr if term.kind == "renewal" else abs(term.mrr - before.mrr)
            found.append((term.decided, account, term.kind, 12 * amount))
        if fates.decided[account] != NEVER:
            found.append((int(fates.decided[account]), account, "churn", 12 * own[-1].mrr))
    found = sorted(one for one in found if 0 <= one[0] < parameters.days)
    return [
        {
            "id": f"O{number:04d}",
            "account_id": company.account_id[account],
            "kind": kind,
            "decided": parameters.date_of(decided),
            "arr_usd": amount,
        }
        for number, (decided, account, kind, amount) in enumerate(found, start=1)
    ]
