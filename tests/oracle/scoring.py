"""Scoring in plain Python, written from the definitions and not from the SQL: what the SQL is compared with.

A scorecard is the mapping that its YAML file holds. Facts of a day are (value, age in days) by measure; None is not
known.
Kept simple on purpose: no shortcuts, one account at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Card = dict[str, Any]
Fact = tuple[float, int]
Peers = dict[str, list[float]]  # all known values of a day, by measure


@dataclass
class Override:
    """A person's dated override, in force on the day it is asked about."""

    kind: str
    score: float


@dataclass
class Measured:
    """A measure's part of a score: its score, weight in force and contribution; score None where missing."""

    value: float | None
    score: float | None
    weight: float
    contribution: float | None
    is_ageing: bool = False


@dataclass
class Scored:
    """What one scorecard makes of one day of one account."""

    raw: float | None
    score: float | None
    band: str
    coverage: float
    low: float
    high: float
    exception_effect: float | None
    override_effect: float | None
    is_in_grace: bool = False
    measures: dict[str, Measured] = field(default_factory=dict)


def rules(card: Card) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every measure with its group and rule."""
    return {name: (group, rule) for group, body in card["groups"].items() for name, rule in body["measures"].items()}


def is_in_grace(rule: dict[str, Any], age: int) -> bool:
    """Is an account of so many days not asked for this measure yet?"""
    return "by_account_age" in rule and age < min(rule["by_account_age"])


def score_of(rule: dict[str, Any], value: float, age: int) -> float:
    """0-100 for a value: by a curve (straight lines, clamped), steps (up_to included) or a half-life.

    `age` of the account in days chooses between rules: the one that begins last counts.
    """
    if "by_account_age" in rule:
        rule = rule["by_account_age"][max(begins for begins in rule["by_account_age"] if begins <= age)]
    if "half_life" in rule:
        return 100 * math.exp(-math.log(2) * max(value, 0) / rule["half_life"])
    if "steps" in rule:
        for step in rule["steps"]:
            if "up_to" not in step or value <= step["up_to"]:
                return float(step["score"])
    points = sorted(rule["curve"].items())
    if value <= points[0][0]:
        return float(points[0][1])
    for (x0, y0), (x1, y1) in pairwise(points):
        if value <= x1:
            return float(y0 + (y1 - y0) * (value - x0) / (x1 - x0))
    return float(points[-1][1])


def normalised(rule: dict[str, Any], value: float, peers: list[float], past: Sequence[float] = ()) -> float | None:
    """What the curve sees: the value; its percentile or z-score among all values of the day; its share of a target; or
    its ratio to the mean of its own `past`, the account's known values of 28 to 84 days ago.

    None with fewer than 30 peers; with a past of fewer than 28 days, or of nothing.
    """
    how = rule.get("normalise")
    if how == "target":
        return float(value / rule["target"])
    if how == "own_baseline":
        total = math.fsum(past)
        return None if len(past) < 28 or total <= 0 else value / (total / len(past))
    if how is None:
        return value
    if len(peers) < 30:
        return None
    if how == "peer_percentile":
        below, level = sum(one < value for one in peers), sum(one == value for one in peers)
        return 100 * (below + (level - 1) / 2) / (len(peers) - 1)
    mean = math.fsum(peers) / len(peers)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in peers) / len(peers))
    return 0.0 if spread == 0 else (value - mean) / spread


def asked(card: Card, age: int) -> Card:
    """The scorecard without what an account of so many days is not asked for yet; groups may be left with nothing."""
    groups = {
        group: {
            **body,
            "measures": {name: rule for name, rule in body["measures"].items() if not is_in_grace(rule, age)},
        }
        for group, body in card["groups"].items()
    }
    return {**card, "groups": {group: body for group, body in groups.items() if body["measures"]}}


def scores_of(
    card: Card,
    facts: dict[str, Fact | None],
    peers: Peers,
    age: int,
    past: dict[str, list[float]] | None = None,
) -> dict[str, float | None]:
    """The score of each measure; None where it is not known, older than it may be, or has nothing to compare with."""
    found: dict[str, float | None] = {}
    for name, (_, rule) in rules(card).items():
        fact = facts.get(name)
        seen = None
        if fact is not None and fact[1] <= rule.get("max_age_days", math.inf):
            seen = normalised(rule, fact[0], peers.get(name, []), (past or {}).get(name, []))
        found[name] = None if seen is None else round(score_of(rule, seen, age), 12)
    return found


def shrunk(rule: dict[str, Any], scores: dict[str, float | None], sizes: dict[str, int]) -> dict[str, float | None]:
    """The scores of a measure of all peers, by account, each drawn to their mean the more the fewer facts it rests on:
    (n * s + k * m) / (n + k).
    """
    known = {account: score for account, score in scores.items() if score is not None}
    k = rule.get("shrink_to_peers")
    if k is None or not known:
        return scores
    mean = math.fsum(known.values()) / len(known)
    return scores | {account: (sizes[account] * s + k * mean) / (sizes[account] + k) for account, s in known.items()}


def rolled_up(how: str, parts: dict[str, tuple[float, float | None]]) -> tuple[float | None, dict[str, float]]:
    """One score out of (weight, score) by name, and the weight in force of each: 0 for the missing, together 1."""
    known = {name: (weight, score) for name, (weight, score) in parts.items() if score is not None}
    shares = dict.fromkeys(parts, 0.0)
    if not known:
        return None, shares
    if how == "mean":
        total = math.fsum(weight for weight, _ in known.values())
        shares |= {name: weight / total for name, (weight, _) in known.items()}
        return math.fsum(weight * score for weight, score in known.values()) / total, shares
    choose = min if how == "lowest" else max
    best = choose(score for _, score in known.values())
    shares[next(name for name, (_, score) in known.items() if score == best)] = 1.0
    return best, shares


def evaluated(card: Card, scores: dict[str, float | None]) -> tuple[float | None, dict[str, float]]:
    """The raw score, and every measure's weight in force."""
    groups, inside = {}, {}
    for group, body in card["groups"].items():
        parts = {name: (float(rule["weight"]), scores[name]) for name, rule in body["measures"].items()}
        score, inside[group] = rolled_up(body.get("roll_up", "mean"), parts)
        groups[group] = (float(body["weight"]), None if score is None else round(score, 12))
    raw, shares = rolled_up(card.get("roll_up", "mean"), groups)
    return raw, {name: shares[group] * inside[group][name] for name, (group, _) in rules(card).items()}


def coverage_of(card: Card, scores: dict[str, float | None]) -> float:
    """Share of the weight whose measures are known, within groups, then over them."""
    if not card["groups"]:
        return 0.0
    total = math.fsum(float(body["weight"]) for body in card["groups"].values())
    covered = 0.0
    for body in card["groups"].values():
        weights = {name: float(rule["weight"]) for name, rule in body["measures"].items()}
        known = math.fsum(weight for name, weight in weights.items() if scores[name] is not None)
        covered += float(body["weight"]) * known / math.fsum(weights.values())
    return covered / total


def held(score: float, caps: list[float], floors: list[float]) -> float:
    """Held up by the highest floor, then down by the lowest cap."""
    return min([max([score, *floors]), *caps])


def is_met(when: dict[str, Any], value: float) -> bool:
    """The condition of an exception."""
    return (
        ("above" not in when or value > when["above"])
        and ("at_least" not in when or value >= when["at_least"])
        and ("below" not in when or value < when["below"])
        and ("at_most" not in when or value <= when["at_most"])
    )


def excepted(card: Card, raw: float, facts: dict[str, Fact | None], scores: dict[str, float | None]) -> float:
    """The raw score under the exceptions whose condition a known measure meets."""
    met = [
        one
        for one in card.get("exceptions", [])
        if scores.get(one["when"]["measure"]) is not None and is_met(one["when"], facts[one["when"]["measure"]][0])  # type: ignore[index]
    ]
    caps = [one["cap"] for one in met if "cap" in one]
    floors = [one["floor"] for one in met if "floor" in one]
    for one in met:
        if "band" in one:
            starts = sorted(card["bands"].values())
            start = card["bands"][one["band"]]
            floors.append(start)
            caps.append(min([100, *(following - 0.01 for following in starts if following > start)]))
    return held(raw, caps, floors)


def overridden(score: float, overrides: list[Override]) -> float:
    """The score under people's overrides: a set value goes before caps and floors, the lowest of several counts."""
    values = [one.score for one in overrides if one.kind == "value"]
    if values:
        return min(values)
    by_kind = {kind: [one.score for one in overrides if one.kind == kind] for kind in ("cap", "floor")}
    return held(score, by_kind["cap"], by_kind["floor"])


def band_of(card: Card, score: float | None) -> str:
    """The band with the highest start at or below the score."""
    if score is None:
        return "insufficient_data"
    return max((start, band) for band, start in card["bands"].items() if round(score, 9) >= start)[1]


def judged(
    card: Card,
    raw: float | None,
    coverage: float,
    bounds: tuple[float | None, float | None],
    known: tuple[dict[str, Fact | None], dict[str, float | None]],
    overrides: list[Override],
    age: int,
    measures: dict[str, Measured],
) -> Scored:
    """What becomes of a raw score: exceptions, overrides and the band, where enough is known of an account old enough.

    `bounds` are the raw score with the missing at 0 and at 100, `known` the facts and the measure scores.
    """
    after_exceptions = score = None
    if raw is not None and coverage >= card["coverage_floor"] - 1e-9 and age >= card.get("grace_days", 0):
        after_exceptions = excepted(card, raw, *known)
        score = overridden(after_exceptions, overrides)
    return Scored(
        raw=raw,
        score=score,
        band=band_of(card, score),
        coverage=coverage,
        low=bounds[0] or 0.0,
        high=100.0 if bounds[1] is None else bounds[1],
        exception_effect=None if after_exceptions is None or raw is None else after_exceptions - raw,
        override_effect=None if after_exceptions is None or score is None else score - after_exceptions,
        is_in_grace=score is None and age < card.get("grace_days", 0),
        measures=measures,
    )


def scored(
    whole: Card, facts: dict[str, Fact | None], overrides: list[Override], peers: Peers | None = None, age: int = 400
) -> Scored:
    """A day of an account under a scorecard, among its peers; `age` is days since it was created."""
    card = asked(whole, age)
    scores = scores_of(card, facts, peers or {}, age)
    raw, weights = evaluated(card, scores)
    coverage = coverage_of(card, scores)
    low, _ = evaluated(card, {name: 0.0 if score is None else score for name, score in scores.items()})
    high, _ = evaluated(card, {name: 100.0 if score is None else score for name, score in scores.items()})
    return judged(
        card, raw, coverage, (low, high), (facts, scores), overrides, age,
        measures={
            name: Measured(
                value=(facts.get(name) or (None,))[0],
                score=scores.get(name),
                weight=weights.get(name, 0.0),
                contribution=None if scores.get(name) is None else weights[name] * scores[name],  # type: ignore[operator]
                is_ageing=scores.get(name) is not None and facts[name][1] > rule.get("warn_age_days", math.inf),  # type: ignore[index]
            )
            for name, (_, rule) in rules(whole).items()
        },
    )  # fmt: skip


def of_lenses(card: Card, parts: dict[str, Scored], overrides: list[Override], age: int) -> Scored:
    """A score made of the scores of other lenses, each as one measure of a group of its own.

    A lens in grace is not asked for; one without a score is missing as a whole.
    """
    asked_for = {lens: weight for lens, weight in card["lenses"].items() if not parts[lens].is_in_grace}
    scores = {lens: _rounded(parts[lens].score) for lens in asked_for}
    how, total = card.get("roll_up", "mean"), math.fsum(map(float, asked_for.values()))

    def rolled(values: dict[str, float | None]) -> tuple[float | None, dict[str, float]]:
        return rolled_up(how, {lens: (float(asked_for[lens]), value) for lens, value in values.items()})

    raw, weights = rolled(scores)
    lowest, highest, coverage = {}, {}, 0.0
    for lens, weight in asked_for.items():
        one = parts[lens]
        lowest[lens] = 0.0 if one.score is None else round(min(one.low, one.score), 12)
        highest[lens] = 100.0 if one.score is None else round(max(one.high, one.score), 12)
        coverage += 0.0 if one.score is None else float(weight) * round(one.coverage, 12) / total
    low, high = rolled(lowest)[0], rolled(highest)[0]  # type: ignore[arg-type]
    as_facts: dict[str, Fact | None] = {
        f"lens:{lens}": None if parts[lens].score is None else (float(_plain(parts[lens].score)), 0) for lens in parts
    }
    named = {f"lens:{lens}": score for lens, score in scores.items()}
    exceptions = [
        {**one, "when": {**one["when"], "measure": f"lens:{one['when']['lens']}"}} for one in card.get("exceptions", [])
    ]
    return judged(
        {**card, "exceptions": exceptions}, raw, coverage, (low, high), (as_facts, named), overrides, age,
        measures={
            f"lens:{lens}": Measured(
                value=parts[lens].score,
                score=scores.get(lens),
                weight=weights.get(lens, 0.0),
                contribution=None if scores.get(lens) is None else weights[lens] * _plain(scores[lens]),
            )
            for lens in parts
        },
    )  # fmt: skip


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 12)


def change(before: Scored, after: Scored, bridge: Scored) -> dict[tuple[str, str | None], float | None]:
    """What a score gained or lost, by (effect, measure). `bridge` is the later day under the earlier day's scorecard.

    Effects of nothing are left out; a change from or to no score has one effect, without points.
    """
    if before.score is None or after.score is None:
        if (before.score is None) == (after.score is None):
            return {}
        return {("became_scored" if before.score is None else "became_unscored", None): None}
    assert before.raw is not None
    assert after.raw is not None
    points: dict[tuple[str, str | None], float | None] = {}
    reached = before.raw
    if bridge.raw is not None:
        reached = bridge.raw
        middle = (before.raw + bridge.raw) / 2
        for name, one in before.measures.items():
            other = bridge.measures[name]
            if one.score is not None and other.score is not None:
                points["value", name] = (one.weight + other.weight) / 2 * (other.score - one.score)
                points["weight", name] = ((one.score + other.score) / 2 - middle) * (other.weight - one.weight)
            elif other.score is not None:
                points["appeared", name] = other.weight * (other.score - middle)
            elif one.score is not None:
                points["disappeared", name] = -one.weight * (one.score - middle)
    points["version", None] = after.raw - reached
    points["exception", None] = _plain(after.exception_effect) - _plain(before.exception_effect)
    points["override", None] = _plain(after.override_effect) - _plain(before.override_effect)
    return {key: value for key, value in points.items() if abs(_plain(value)) > 1e-10}


def _plain(value: float | None) -> float:
    return 0.0 if value is None else value
