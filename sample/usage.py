"""Users and what they do in the product: one event a row, by user and feature, in monthly Parquet files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sample.company import Company
from sample.contracts import Term
from sample.health import domain_view
from sample.parameters import NEVER, Floats, Ints, Parameters, Row

# Feature, how much it is used, the hidden health an account needs to use it, median seconds, enterprise plan only
FEATURES: tuple[tuple[str, float, float, int, bool], ...] = (
    ("dashboards", 0.30, 0.00, 150, False),
    ("reports", 0.17, 0.25, 240, False),
    ("search", 0.17, 0.10, 25, False),
    ("alerts", 0.09, 0.45, 40, False),
    ("exports", 0.08, 0.40, 60, False),
    ("comments", 0.06, 0.30, 50, False),
    ("settings", 0.03, 0.00, 70, False),
    ("api", 0.06, 0.35, 10, True),
    ("audit_log", 0.02, 0.50, 90, True),
    ("single_sign_on", 0.02, 0.30, 8, True),
)
WEEKDAYS = np.array([1.0, 1.08, 1.06, 1.02, 0.84, 0.09, 0.06])  # from Monday
EVENTS_A_DAY = 0.46  # expected draws of an average user of a healthy account on a working day
LATE_SHARE, LATE_HOURS = 0.03, (2.0, 119.0)
DUPLICATE_SHARE = 0.002
REPEATS_A_MONTH = 3  # events at the end of a month's file that stand again in the next month's


@dataclass(frozen=True)
class Users:
    """One entry a user: their account, first and last day of use (last is exclusive), rate, and the account health
    below which they stop.
    """

    account: Ints
    first: Ints
    last: Ints
    rate: Floats
    stops_below: Floats


@dataclass(frozen=True)
class UsageFile:
    """One month's file: its events as received in that month, and how many of its rows are no new events."""

    month: str
    table: pa.Table
    duplicates: int
    repeats: int
    late: int


def draw_users(company: Company, terms: list[list[Term]]) -> Users:
    """Users of every account: most seats have one; they arrive during onboarding, in growing accounts also later."""
    rng = company.parameters.stream("users")
    parts: list[tuple[Ints, Ints, Ints]] = []
    for account, own in enumerate(terms):
        is_struggling = company.fates.archetype[account] == "struggling"
        adoption = rng.uniform(0.35, 0.65) if is_struggling else rng.uniform(0.7, 1.0)
        number = max(1, round(max(term.seats for term in own) * adoption))
        ends = np.full(number, NEVER)
        for term in own:
            if term.kind == "downgrade":  # fewer seats: those who came last lose theirs
                ends[round(term.seats * adoption) :] = np.minimum(ends[round(term.seats * adoption) :], term.starts)
        parts.append((np.full(number, account), _first_days(company, rng, account, number), ends))
    account_of, first, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    number = len(first)
    goes = rng.random(number) < 0.12
    last = np.maximum(first, 0) + rng.integers(40, company.parameters.days + 40, size=number)
    rate = rng.gamma(2.5, 1 / 2.5, size=number)
    return Users(
        account_of, first, np.where(goes, np.minimum(last, ends), ends), rate, rng.uniform(0, 0.5, size=number)
    )


def _first_days(company: Company, rng: np.random.Generator, account: int, number: int) -> Ints:
    """First days of use of one account's users, the earliest first."""
    joined, days = int(company.fates.joined[account]), company.parameters.days
    if joined > 0:
        offsets = 2 + np.minimum(rng.exponential(28, size=number), 120)
        return np.sort(joined + offsets.astype(np.int64))
    later = 0.4 if company.fates.archetype[account] == "growing" else 0.15
    arrives = rng.random(number) < later
    return np.sort(np.where(arrives, rng.integers(1, days, size=number), -1)).astype(np.int64)


def user_rows(company: Company, users: Users) -> list[Row]:
    """Rows of users.csv."""
    return [
        {"user_id": user_id(user), "account_id": company.account_id[account]}
        for user, account in enumerate(users.account)
    ]


def user_id(user: int) -> str:
    """The id of a user by number."""
    return f"U{user + 1:05d}"


def draw_usage(company: Company, users: Users) -> list[UsageFile]:
    """All usage files, in order of month."""
    rng = company.parameters.stream("usage")
    health = domain_view(rng, company.health)
    user, day = _draw_user_days(company, rng, users, health)
    count = 1 + rng.poisson(0.55, size=len(user))
    user, day = np.repeat(user, count), np.repeat(day, count)
    happened = day * 86_400 + (7 * 3600 + rng.beta(2.2, 2.4, size=len(day)) * 13 * 3600).astype(np.int64)
    order = np.lexsort((user, happened))
    user, day, happened = user[order], day[order], happened[order]
    feature = _draw_features(company, rng, health[users.account[user], day], users.account[user])
    medians = np.array([one[3] for one in FEATURES])
    seconds = np.clip(medians[feature] * rng.lognormal(0, 0.7, size=len(day)), 1, 3600).astype(np.int64)
    delay = rng.integers(1, 50, size=len(day))
    low, high = (np.log(hours * 3600) for hours in LATE_HOURS)
    is_late = rng.random(len(day)) < LATE_SHARE
    delay = np.where(is_late, np.exp(rng.uniform(low, high, size=len(day))).astype(np.int64), delay)
    arrived = happened + delay < company.parameters.days * 86_400  # the rest is still on its way on the last day
    columns = [one[arrived] for one in (user, feature, happened, seconds, happened + delay)]
    return _files(company.parameters, rng, columns)


def _draw_user_days(company: Company, rng: np.random.Generator, users: Users, health: Floats) -> tuple[Ints, Ints]:
    """Pairs of user and day on which the user did something."""
    parameters = company.parameters
    days = np.arange(parameters.days)
    activity = np.clip(health / 0.8, 0, 1.15) ** 1.5 * _calendar(parameters)
    weekly = rng.lognormal(0, 0.14, size=(parameters.accounts, parameters.days // 7 + 1))
    activity *= weekly[:, days // 7]
    age = days - company.fates.joined[:, None]
    activity *= np.clip(0.35 + age / 70, 0, 1)  # onboarding
    activity[np.isnan(company.health)] = 0
    for account, archetype in enumerate(company.fates.archetype):
        if archetype == "never_used":
            activity[account] = 0
        if archetype == "silent":
            activity[account, int(company.fates.declines[account]) + 21 :] = 0
    stays = health[users.account] > users.stops_below[:, None]
    here = (days >= users.first[:, None]) & (days < users.last[:, None])
    expected = EVENTS_A_DAY * users.rate[:, None] * activity[users.account] * stays * here
    user, day = np.nonzero(rng.random(expected.shape) < 1 - np.exp(-expected))
    return user, day


def _calendar(parameters: Parameters) -> Floats:
    """By day: weekdays and weekends, a dip in July and August, a deep one around the turn of the year."""
    factors = np.empty(parameters.days)
    for day in range(parameters.days):
        when = parameters.date_of(day)
        month_day = (when.month, when.day)
        season = 0.8 if (7, 10) <= month_day <= (8, 25) else 1.0
        if month_day >= (12, 20) or month_day <= (1, 3):
            season = 0.35
        factors[day] = season * WEEKDAYS[when.weekday()]
    return factors


def _draw_features(company: Company, rng: np.random.Generator, health: Floats, account: Ints) -> Ints:
    """The feature of each event: an account in poor health no longer uses all of them."""
    parameters = company.parameters
    taste = rng.lognormal(0, 0.45, size=(parameters.accounts, len(FEATURES)))
    needs = rng.normal(0, 0.12, size=taste.shape) + np.array([one[2] for one in FEATURES])
    needs[:, 0] = -1  # everybody has dashboards
    is_enterprise = np.array([plan == "enterprise" for plan in company.plan])
    taste *= np.array([one[1] for one in FEATURES])
    taste *= is_enterprise[:, None] | ~np.array([one[4] for one in FEATURES])
    total = np.cumsum(taste[account] * (health[:, None] >= needs[account]), axis=1)
    drawn: Ints = (rng.random(len(account))[:, None] * total[:, -1:] >= total).sum(axis=1)
    return np.minimum(drawn, len(FEATURES) - 1)


def _files(parameters: Parameters, rng: np.random.Generator, columns: list[Ints]) -> list[UsageFile]:
    """Cut the events into months by the time they were received, and let some of them come twice."""
    received = columns[-1]
    day = received // 86_400
    months = np.array([f"{parameters.date_of(one):%Y-%m}" for one in range(parameters.days)])
    files: list[UsageFile] = []
    before = np.array([], dtype=np.int64)
    for month in sorted(set(months.tolist())):
        own = np.nonzero(months[day] == month)[0]
        own = own[np.lexsort((own, received[own]))]
        again = rng.choice(own, size=round(DUPLICATE_SHARE * len(own)), replace=False)
        rows = np.concatenate([own, again])
        rows = rows[np.lexsort((rows, received[rows]))]  # a retry stands right behind its event
        rows = np.concatenate([before, rows])
        late = received[rows] - columns[2][rows] >= 3600
        files.append(UsageFile(month, _table(parameters, rows, columns), len(again), len(before), int(late.sum())))
        before = own[-200:][:: max(1, len(own[-200:]) // REPEATS_A_MONTH)][:REPEATS_A_MONTH]
    return files


def _table(parameters: Parameters, rows: Ints, columns: list[Ints]) -> pa.Table:
    """Rows of one Parquet file; event ids count the events in the order in which they happened."""
    user, feature, happened, seconds, received = (one[rows] for one in columns)
    start = int(np.datetime64(parameters.first_day, "s").astype(np.int64))
    names = pa.array([one[0] for one in FEATURES])
    return pa.table(
        {
            "event_id": _numbered("E", rows + 1, 7),
            "user_id": _numbered("U", user + 1, 5),
            "feature": names.take(pa.array(feature)),
            "happened_at": pa.array((happened + start) * 1_000_000, type=pa.timestamp("us")),
            "seconds": pa.array(seconds, type=pa.int32()),
            "received_at": pa.array((received + start) * 1_000_000, type=pa.timestamp("us")),
        }
    )


def _numbered(letter: str, numbers: Ints, width: int) -> pa.Array:
    """A letter and a number with leading zeros, as text."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(letter, digits, "")
