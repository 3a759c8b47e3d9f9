"""The hidden health of each account and day: what every domain is drawn from, and what a good score finds again."""

from __future__ import annotations

import numpy as np

from sample.fates import Fates
from sample.parameters import NEVER, Floats, Parameters

BASE = {  # range of the level an account starts from
    "steady": (0.70, 0.92),
    "growing": (0.66, 0.78),
    "leaving": (0.60, 0.86),
    "leaving_suddenly": (0.66, 0.90),
    "shrinking": (0.62, 0.80),
    "recovering": (0.62, 0.82),
    "struggling": (0.36, 0.54),
    "silent": (0.55, 0.75),
    "never_used": (0.20, 0.40),
}
WOBBLE = 0.05  # standard deviation of the wandering about the path
MEMORY = 0.96  # of one day's wobble left on the next
DOMAIN_BIAS = 0.08  # standard deviation of a domain's view of an account


def draw_health(parameters: Parameters, fates: Fates) -> Floats:
    """Account x day, 0..1; NaN on days when the account was no customer."""
    rng = parameters.stream("health")
    days = np.arange(parameters.days)
    paths = np.empty((parameters.accounts, parameters.days))
    for account in range(parameters.accounts):
        at, level = _knots(parameters, rng, fates, account)
        paths[account] = np.interp(days, at, level)
    paths += _wobbles(rng, paths.shape)
    is_customer = (days >= fates.joined[:, None]) & (days < fates.left[:, None])
    return np.where(is_customer, np.clip(paths, 0.02, 0.99), np.nan)


def domain_view(rng: np.random.Generator, health: Floats) -> Floats:
    """Health as one domain shows it: shifted a little for each account, so that no domain tells everything."""
    bias = rng.normal(0, DOMAIN_BIAS, size=(len(health), 1))
    return np.clip(np.nan_to_num(health) + bias, 0.02, 0.99)


def _knots(
    parameters: Parameters, rng: np.random.Generator, fates: Fates, account: int
) -> tuple[list[float], list[float]]:
    """The corners of an account's path: days, and the health on them."""
    archetype = fates.archetype[account]
    base = float(rng.uniform(*BASE[archetype]))
    low = float(rng.uniform(0.12, 0.28))
    starts = float(fates.declines[account])
    if archetype == "growing":
        since = max(0.0, float(fates.joined[account]))
        return [since, float(parameters.days)], [base, base + 0.15]
    if starts == NEVER:
        return [0.0], [base]
    if archetype == "leaving":
        return [starts, float(fates.decided[account]), float(fates.left[account])], [base, low, 0.06]
    if archetype == "shrinking":
        smaller = float(fates.downgraded[account])
        return [starts, smaller - 10, smaller + 70], [base, low + 0.14, 0.58]
    if archetype == "recovering":
        return [starts, starts + 45, starts + 75, starts + 135], [base, low + 0.12, low + 0.12, base]
    return [starts, starts + 21], [base, low]  # silent


def _wobbles(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Wandering of each account about its path, day after day."""
    steps = rng.normal(0, WOBBLE * np.sqrt(1 - MEMORY**2), size=shape)
    steps[:, 0] = rng.normal(0, WOBBLE, size=shape[0])
    for day in range(1, shape[1]):
        steps[:, day] += MEMORY * steps[:, day - 1]
    return steps
