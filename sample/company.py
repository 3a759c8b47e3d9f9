"""Who the customers are: segment, plan, seats, price, names, parents, managers, and their hidden health."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample.fates import Fates, draw_fates
from sample.health import draw_health
from sample.parameters import NEVER, Floats, Parameters
from sample.words import CHILD_WORDS, FIRST_WORDS, INDUSTRY_WORDS, MANAGERS, REGIONS, SECOND_WORDS

SEGMENTS = {"enterprise": 0.15, "mid_market": 0.35, "smb": 0.5}
SEATS = {  # by segment: median, spread, least, most
    "enterprise": (44, 0.4, 20, 140),
    "mid_market": (16, 0.35, 8, 36),
    "smb": (6, 0.4, 2, 12),
}
PLANS = {  # by segment: chance of starter, team, enterprise
    "enterprise": (0.0, 0.15, 0.85),
    "mid_market": (0.1, 0.75, 0.15),
    "smb": (0.65, 0.35, 0.0),
}
PLAN_NAMES = ("starter", "team", "enterprise")
SEAT_PRICES = {"starter": 30.0, "team": 60.0, "enterprise": 140.0}  # a month, before what was haggled


@dataclass(frozen=True)
class Company:
    """All accounts: one entry each, in the order of their ids.

    `health` is account x day, 0..1, and NaN on days when the account was no customer. `seat_price` is a month's
    price in dollars. `managers` holds for each account the (first day, name) of its customer success managers in turn.
    """

    parameters: Parameters
    account_id: list[str]
    name: list[str]
    segment: list[str]
    plan: list[str]
    industry: list[str]
    region: list[str]
    parent: list[int | None]
    seats: list[int]
    seat_price: list[float]
    managers: list[list[tuple[int, str]]]
    fates: Fates
    health: Floats

    def is_customer(self, account: int, day: int) -> bool:
        """Whether the account had joined and not left on that day."""
        return bool(self.fates.joined[account] <= day < self.fates.left[account])

    def manager_on(self, account: int, day: int) -> str:
        """The customer success manager on that day."""
        turns = self.managers[account]
        return [name for since, name in turns if since <= day][-1]


def draw_company(parameters: Parameters) -> Company:
    """Draw every account and its hidden health from the seed."""
    rng = parameters.stream("company")
    number = parameters.accounts
    segment = [str(one) for one in rng.choice(list(SEGMENTS), size=number, p=list(SEGMENTS.values()))]
    segment[0] = "enterprise"  # even the smallest company has a large customer
    plan = [str(rng.choice(PLAN_NAMES, p=PLANS[one])) for one in segment]
    industry = [str(one) for one in rng.choice(list(INDUSTRY_WORDS), size=number)]
    fates = draw_fates(parameters, segment)
    parent = _parents(rng, segment, fates)
    return Company(
        parameters=parameters,
        account_id=[f"A{account + 1:04d}" for account in range(number)],
        name=_names(rng, industry, parent),
        segment=segment,
        plan=plan,
        industry=industry,
        region=[str(one) for one in rng.choice(REGIONS, size=number, p=[0.4, 0.35, 0.15, 0.1])],
        parent=parent,
        seats=[_draw_seats(rng, one) for one in segment],
        seat_price=[SEAT_PRICES[one] * float(rng.uniform(0.85, 1.15)) for one in plan],
        managers=_managers(parameters, rng, segment),
        fates=fates,
        health=draw_health(parameters, fates),
    )


def _draw_seats(rng: np.random.Generator, segment: str) -> int:
    """Seats bought at the start."""
    median, spread, least, most = SEATS[segment]
    return int(np.clip(round(median * rng.lognormal(0, spread)), least, most))


def _parents(rng: np.random.Generator, segment: list[str], fates: Fates) -> list[int | None]:
    """Some large, staying, long-standing accounts own two to four smaller ones; an owned account owns none."""
    fit = [a for a, one in enumerate(segment) if one == "enterprise" and fates.left[a] == NEVER and fates.joined[a] < 0]
    small = [a for a, one in enumerate(segment) if one != "enterprise"]
    parent: list[int | None] = [None] * len(segment)
    children = iter(rng.permutation(small))
    for owner in fit[: max(1, len(segment) // 36)]:
        for _ in range(int(rng.integers(2, 5))):
            parent[int(next(children))] = owner
    return parent


def _names(rng: np.random.Generator, industry: list[str], parent: list[int | None]) -> list[str]:
    """Two words and the industry's; a child bears its parent's two words and a word of its own."""
    pairs = [f"{first} {second}" for first in FIRST_WORDS for second in SECOND_WORDS]
    order = rng.permutation(len(pairs))
    own = [pairs[order[account % len(pairs)]] for account in range(len(industry))]
    names, born = [], dict.fromkeys(range(len(industry)), 0)
    for account, owner in enumerate(parent):
        word = INDUSTRY_WORDS[industry[account]]
        if owner is None:
            names.append(f"{own[account]} {word}")
        else:
            names.append(f"{own[owner]} {CHILD_WORDS[born[owner]]} {word}")
            born[owner] += 1
    return names


def _managers(parameters: Parameters, rng: np.random.Generator, segment: list[str]) -> list[list[tuple[int, str]]]:
    """Who looks after whom: halfway through, the first manager of each segment hands over half of their accounts."""
    handover = parameters.days // 2
    turns = []
    for one in segment:
        pool = MANAGERS[one]
        first = str(rng.choice(pool))
        moves = first == pool[0] and rng.random() < 0.5
        turns.append([(-NEVER, first), (handover, str(rng.choice(pool[1:])))] if moves else [(-NEVER, first)])
    return turns
