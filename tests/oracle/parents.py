"""Parents' scores in plain Python, written from docs/reference/scorecards.md and not from the SQL.

`links` names each account's parent (None: none), for all accounts there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.oracle.scoring import Card, band_of

LEVELS = 10
Links = Mapping[str, str | None]


@dataclass(frozen=True)
class Judged:
    """An account on a day: its score in force and its ARR; None is not known."""

    score: float | None
    arr: float | None


@dataclass(frozen=True)
class Together:
    """An account with those below it."""

    score: float | None
    band: str
    coverage: float
    low: float
    high: float
    accounts: int
    accounts_scored: int
    lowest: str | None


def way_up(links: Links, account: str) -> list[str]:
    """The accounts above, the nearest first; one more than the levels at most."""
    found: list[str] = []
    above = links[account]
    while above is not None and above in links and len(found) <= LEVELS:
        found.append(above)
        above = links[above]
    return found


def issue_of(links: Links, account: str) -> str | None:
    """What is wrong with the account's way up."""
    above = way_up(links, account)
    if links[account] is not None and not above:
        return "orphan"
    if account in above:
        return "cycle"
    if len(above) > LEVELS and len(set(above)) == len(above):
        return "too_deep"
    return None


def ancestors(links: Links, account: str) -> set[str]:
    """Every account in whose score this one counts."""
    if issue_of(links, account) in ("cycle", "too_deep"):
        return set()
    return {above for above in way_up(links, account) if issue_of(links, above) != "cycle"}


def parent_score(card: Card, links: Links, judged: Mapping[str, Judged], parent: str) -> Together | None:
    """The parent's health by its card's `parents`; None where no account below it is judged."""
    policy = {"roll_up": "arr_weighted_mean", "counts_own": True, **card.get("parents", {})}
    members = {name: one for name, one in judged.items() if parent in ancestors(links, name)}
    if not members:
        return None
    if policy["counts_own"] and parent in judged:
        members[parent] = judged[parent]
    weights = _weights(members, policy["roll_up"] == "arr_weighted_mean")
    scores = {name: one.score for name, one in members.items() if one.score is not None}

    def rolled_up(known: Mapping[str, float]) -> float | None:
        if policy["roll_up"] == "worst":
            return min(known.values(), default=None)
        weight = sum(weights[name] for name in known)
        return sum(weights[name] * score for name, score in known.items()) / weight if weight else None

    coverage = sum(weights[name] for name in scores) / sum(weights.values())
    score = rolled_up(scores) if coverage >= card["coverage_floor"] - 1e-9 else None
    low, high = (rolled_up({name: scores.get(name, missing) for name in members}) for missing in (0.0, 100.0))
    assert low is not None
    assert high is not None
    return Together(
        score=score,
        band=band_of(card, score),
        coverage=coverage,
        low=low,
        high=high,
        accounts=len(members),
        accounts_scored=len(scores),
        lowest=min(scores, key=lambda name: (scores[name], name), default=None),
    )


def _weights(members: Mapping[str, Judged], by_arr: bool) -> dict[str, float]:
    known = [one.arr for one in members.values() if one.arr is not None]
    if not by_arr or not sum(known):
        return dict.fromkeys(members, 1.0)
    mean = sum(known) / len(known)
    return {name: mean if one.arr is None else one.arr for name, one in members.items()}
