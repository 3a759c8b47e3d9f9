"""Support tickets: more of them, graver and slower ones in accounts whose hidden health is poor."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from sample.company import Company
from sample.health import domain_view
from sample.parameters import Floats, Ints, Parameters, Row

PRIORITIES = ("P1", "P2", "P3", "P4")
REPLY_HOURS = np.array([0.5, 3.0, 8.0, 16.0])  # median, by priority, of a healthy account
SOLVE_HOURS = np.array([20.0, 40.0, 60.0, 90.0])
RATED_SHARE = 0.45


def ticket_rows(company: Company, seats: Ints) -> list[Row]:
    """Tickets as they stand at the end of the last day: what comes later is not filled in."""
    rng = company.parameters.stream("support")
    health = domain_view(rng, company.health)
    account, day = _draw_openings(company, rng, health, seats)
    unhealth = 1 - health[account, day]
    order = np.lexsort((rng.random(len(day)), day))
    account, day, unhealth = account[order], day[order], unhealth[order]
    priority = _draw_priorities(rng, unhealth)
    opened = day * 86_400 + (7 * 3600 + rng.beta(2, 2, size=len(day)) * 12 * 3600).astype(np.int64)
    speed = rng.lognormal(0, 0.7, size=(2, len(day)))
    replied = opened + (3600 * REPLY_HOURS[priority] * speed[0] * (0.7 + unhealth)).astype(np.int64)
    solved = replied + (3600 * SOLVE_HOURS[priority] * speed[1] * (0.4 + 2.4 * unhealth)).astype(np.int64)
    wait = rng.integers(20 * 3600, 120 * 3600, size=len(day))
    reopens = rng.random(len(day)) < 0.03 + 0.15 * unhealth
    reopened = np.where(reopens, solved + wait, -1)
    solved = np.where(reopens, reopened + (3600 * 30 * speed[0]).astype(np.int64), solved)
    minutes = np.maximum(5, 25 * speed[1] * (0.6 + unhealth) * np.array([4, 2, 1, 0.7])[priority]).astype(np.int64)
    rating = np.clip(np.rint(5.6 - 3.6 * unhealth + rng.normal(0, 0.8, size=len(day))), 1, 5).astype(np.int64)
    rated = np.where(rng.random(len(day)) < RATED_SHARE, solved + rng.integers(600, 3 * 86_400, size=len(day)), -1)
    times = [opened, replied, reopened, solved, rated]
    tickets = np.vstack([account, priority, minutes, rating, *times]).T.tolist()
    return [_row(company, number, ticket) for number, ticket in enumerate(tickets)]


def _draw_openings(company: Company, rng: np.random.Generator, health: Floats, seats: Ints) -> tuple[Ints, Ints]:
    """Account and day of each ticket."""
    parameters = company.parameters
    days = np.arange(parameters.days)
    a_quarter = seats / 100 * (2.2 + 16 * (1 - health) ** 2)
    age = days - company.fates.joined[:, None]
    a_quarter = a_quarter * np.where(age < 60, 2.0, 1.0)
    for account, archetype in enumerate(company.fates.archetype):
        if archetype == "never_used":
            a_quarter[account] *= 0.2
        if archetype == "silent":  # who does not use it does not ask either
            a_quarter[account, int(company.fates.declines[account]) :] *= 0.3
    a_quarter[np.isnan(company.health)] = 0
    weekday = np.array([parameters.date_of(one).weekday() for one in range(parameters.days)])
    a_day = a_quarter / 90 * np.where(weekday < 5, 1.3, 0.25)
    count = rng.poisson(a_day)
    busy = np.nonzero(count)
    return np.repeat(busy[0], count[busy]), np.repeat(busy[1], count[busy])


def _draw_priorities(rng: np.random.Generator, unhealth: Floats) -> Ints:
    """Index into PRIORITIES; the grave ones grow as health falls."""
    urgent = 0.02 + 0.22 * unhealth**1.5
    high = urgent + 0.12 + 0.2 * unhealth
    normal = high + (1 - high) * 0.7
    drawn: Ints = (rng.random(len(unhealth)) >= np.vstack([urgent, high, normal])).sum(axis=0)
    return drawn


def _row(company: Company, number: int, ticket: list[int]) -> Row:
    """One ticket from its numbers, cut off at the end of the last day."""
    account, priority, minutes, rating, *times = ticket
    opened, replied, reopened, solved, rated = (_until_end(company.parameters, one) for one in times)
    status = "solved" if solved else "pending" if replied else "new"
    return {
        "id": f"T{number + 1:05d}",
        "account_id": company.account_id[account],
        "priority": PRIORITIES[priority],
        "status": "open" if reopened and not solved else status,
        "opened_at": opened,
        "first_reply_at": replied,
        "solved_at": solved,
        "reopened_at": reopened,
        "minutes_spent": minutes if replied else None,
        "rating": rating if rated else None,
        "rated_at": rated,
    }


def _until_end(parameters: Parameters, seconds: int) -> datetime | None:
    """The time so many seconds after the first midnight; None if there is none, or it is not over yet."""
    when = parameters.moment(0, 0) + timedelta(seconds=seconds)
    return None if seconds < 0 or when >= parameters.end else when
