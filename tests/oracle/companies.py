"""Random companies for the comparison of the SQL with the oracle: a scorecard, perhaps a second version, some days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.oracle.scoring import Card, Fact, Override

FIRST = date(2026, 1, 1)
OFFSETS = (0, 1, 7, 8, 30, 31)  # days that are 1, 7 and 30 apart
CHANGE_AT = 8  # from this day on the second version judges

MEASURES = ("m1", "m2", "m3", "m4", "m5", "m6")


@dataclass(frozen=True)
class Company:
    """One account: its scorecard before and from CHANGE_AT on, and by day what is known and which overrides hold."""

    before: Card
    after: Card
    beside: Card  # in a lens of its own, on all days
    whole: Card  # made of both lenses
    facts: dict[int, dict[str, Fact | None]]
    age: int  # days since the account was created, on the first day
    overrides: dict[int, list[Override]]

    def card(self, offset: int) -> Card:
        """The scorecard in force on a day."""
        return self.before if offset < CHANGE_AT else self.after


def day(offset: int) -> date:
    """The date of a day."""
    return FIRST + timedelta(days=offset)


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    """Round numbers often, so that edges are met exactly; any number sometimes."""
    whole = st.integers(int(low), int(high)).map(float)
    return st.one_of(whole, whole, st.floats(low, high, allow_nan=False, allow_infinity=False, width=32))


SCORES = _number(0, 100)
OVERRIDE_SCORES = SCORES.map(lambda score: round(score, 4))  # as the entity holds them
AGES = (0, 5, 20, 30, 100, 401)
WEIGHTS = st.sampled_from([0.2, 0.3, 0.5, 1, 2, 3, 7, 40, 100, 0.000001, 12.345678])


@st.composite
def _rule(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {"weight": draw(WEIGHTS)}
    if draw(st.booleans()):
        rule["max_age_days"] = draw(st.integers(1, 40))
    if rule.get("max_age_days", 0) > 1:
        rule["warn_age_days"] = rule["max_age_days"] // 2
    how = draw(st.sampled_from([None, None, None, "peer_percentile", "peer_z_score", "target"]))
    if how is not None:
        rule["normalise"] = how
    if how == "target":
        rule["target"] = draw(st.sampled_from([0.5, 3.0, 40.0]))
    if draw(st.integers(0, 4)) == 0:
        ages = draw(st.sets(st.sampled_from(AGES), min_size=1, max_size=3))
        return rule | {"by_account_age": {age: draw(_judgement()) for age in sorted(ages)}}
    return rule | draw(_judgement())


@st.composite
def _judgement(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["curve", "curve", "steps", "half_life"]))
    if kind == "half_life":
        return {"half_life": draw(st.sampled_from([0.5, 7.0, 30.0, 60.0]))}
    places = sorted(draw(st.sets(st.integers(-20, 40).map(lambda n: n / 2), min_size=2, max_size=5)))
    scores = [draw(SCORES) for _ in range(len(places) + 1)]
    if kind == "curve":
        return {"curve": dict(zip(places, scores, strict=False))}
    steps = [{"up_to": place, "score": score} for place, score in zip(places, scores, strict=False)]
    return {"steps": [*steps, {"score": scores[-1]}]}


@st.composite
def _exception(draw: st.DrawFn, measures: list[str]) -> dict[str, Any]:
    low = draw(st.sampled_from(["above", "at_least", "below", "at_most"]))
    when = {"measure": draw(st.sampled_from(measures)), low: draw(_number(-10, 20))}
    if draw(st.booleans()):
        return {"when": when, "band": draw(st.sampled_from(["red", "yellow", "green"])), "because": "it is so"}
    return {"when": when, draw(st.sampled_from(["cap", "floor"])): draw(SCORES), "because": "it is so"}


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """A scorecard as its file would hold it, without the keys that decide which accounts it judges."""
    measures = draw(st.lists(st.sampled_from(MEASURES), unique=True, min_size=1, max_size=6))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(measures) - 1)), max_size=2)))
    parts = [part for part in _split(measures, cuts) if part]
    groups = {
        f"g{number}": {
            "title": f"Group {number}",
            "weight": draw(WEIGHTS),
            "roll_up": draw(st.sampled_from(["mean", "mean", "lowest", "highest"])),
            "measures": {name: draw(_rule()) for name in part},
        }
        for number, part in enumerate(parts)
    }
    yellow = draw(st.integers(1, 98))
    return {
        "coverage_floor": draw(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])),
        "bands": {"red": 0, "yellow": yellow, "green": draw(st.integers(yellow + 1, 99))},
        "roll_up": draw(st.sampled_from(["mean", "mean", "mean", "lowest", "highest"])),
        "peer_group": "all",
        "groups": groups,
        **draw(st.sampled_from([{}, {}, {"grace_days": 5}, {"grace_days": 30}])),
        "exceptions": draw(st.lists(_exception(measures), max_size=3)),
    }


@st.composite
def wholes(draw: st.DrawFn) -> Card:
    """A scorecard made of the lenses `overall` and `beside`."""
    yellow = draw(st.integers(1, 98))
    exceptions = [
        {**one, "when": {**{key: value for key, value in one["when"].items() if key != "measure"}, "lens": lens}}
        for one in draw(st.lists(_exception(["m1"]), max_size=2))
        for lens in [draw(st.sampled_from(["overall", "beside"]))]
    ]
    return {
        "lens": "whole",
        "coverage_floor": draw(st.sampled_from([0.0, 0.3, 0.5, 0.7])),
        "bands": {"red": 0, "yellow": yellow, "green": draw(st.integers(yellow + 1, 99))},
        "roll_up": draw(st.sampled_from(["mean", "mean", "mean", "lowest", "highest"])),
        "peer_group": "all",
        "lenses": {"overall": draw(WEIGHTS), "beside": draw(WEIGHTS)},
        **draw(st.sampled_from([{}, {}, {"grace_days": 5}])),
        "exceptions": exceptions,
    }


def _split(items: list[str], cuts: list[int]) -> list[list[str]]:
    edges = [0, *cuts, len(items)]
    return [items[start:end] for start, end in pairwise(edges)]


FACTS = st.one_of(st.none(), st.tuples(_number(-10, 20), st.sampled_from([0, 0, 0, 1, 10, 40, 41])))


@st.composite
def companies(draw: st.DrawFn) -> Company:
    """Often the same scorecard throughout, sometimes another; sometimes days on which nothing is known."""
    before = draw(cards())
    after = draw(st.one_of(st.just(before), cards()))
    facts: dict[int, dict[str, Fact | None]] = {}
    known: dict[str, Fact | None] = {}
    for offset in OFFSETS:
        how = draw(st.sampled_from(["some", "some", "all", "none"]))
        if how == "none":
            facts[offset] = {}
            continue
        names = MEASURES if how == "all" else draw(st.lists(st.sampled_from(MEASURES), unique=True))
        known = known | {name: draw(FACTS) for name in names}
        facts[offset] = dict(known)
    overrides = {
        offset: draw(
            st.lists(st.builds(Override, st.sampled_from(["cap", "floor", "value"]), OVERRIDE_SCORES), max_size=2)
        )
        for offset in draw(st.sets(st.sampled_from(OFFSETS), max_size=2))
    }
    return Company(
        before, after, draw(cards()), draw(wholes()), facts, draw(st.sampled_from([0, 4, 25, 400])), overrides
    )
