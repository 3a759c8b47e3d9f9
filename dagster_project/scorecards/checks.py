"""What must hold between the keys of a scorecard, checked on the raw data so that one reading tells every mistake."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

from dagster_project.config_file import Check, KeyPath, mapping, sequence, suggest
from dagster_project.config_types import as_number, show

Found = Iterator[tuple[KeyPath, str]]

BANDS = ("red", "yellow", "green")  # from the lowest scores to the highest


def scorecard_check(measures: Collection[str]) -> Check:
    """The check of one file, given the names of the measures that exist."""

    def check(data: dict[str, Any]) -> Found:
        if (data.get("groups") is None) == (data.get("lenses") is None):
            has = "has both" if data.get("groups") is not None else "has neither"
            yield (), f"needs either groups of measures or lenses, to weigh what makes the score; {has}"
        if mapping(data.get("lenses")).get(data.get("lens", "overall")) is not None:
            yield (
                ("lenses", data.get("lens", "overall")),
                "is the lens of this scorecard; a score cannot rest on itself",
            )
        yield from _check_measures(mapping(data.get("groups")), measures)
        if isinstance(data.get("bands"), dict):
            yield from _check_bands(data["bands"])
        for number, exception in enumerate(sequence(data.get("exceptions"))):
            yield from _check_exception(mapping(exception), ("exceptions", number), data, measures)
        age = mapping(mapping(data.get("applies_to")).get("account_age_days"))
        start, end = as_number(age.get("from")), as_number(age.get("to"))
        path: KeyPath = ("applies_to", "account_age_days")
        if start is not None and end is not None and end <= start:
            yield path, f"from {start:g} to {end:g} holds no account; `to` is not included and must be larger"
        if mapping(data.get("applies_to")).get("account_age_days") == {}:
            yield path, "needs `from`, `to` or both (days since the account was created)"

    return check


def _check_measures(groups: dict[str, Any], measures: Collection[str]) -> Found:
    home: dict[str, str] = {}
    for group, body in groups.items():
        for name, rule in mapping(mapping(body).get("measures")).items():
            path: KeyPath = ("groups", group, "measures", name)
            if name not in measures:
                yield path, f"unknown measure; {suggest(name, measures)}"
            if home.setdefault(name, group) != group:
                yield path, f"is in the group {home[name]} too; a measure counts once in a scorecard"
            if isinstance(rule, dict):
                yield from _check_rule(rule, path)


def _check_rule(rule: dict[str, Any], path: KeyPath) -> Found:
    yield from _check_judgement(rule, path, ("curve", "steps", "half_life", "by_account_age"))
    if isinstance(rule.get("by_account_age"), dict):
        yield from _check_ages(rule["by_account_age"], (*path, "by_account_age"))
    warning, oldest = as_number(rule.get("warn_age_days")), as_number(rule.get("max_age_days"))
    if warning is not None and (oldest is None or warning >= oldest):
        yield (*path, "warn_age_days"), "warns before a measure is too old: needs a max_age_days, and a larger one"
    if (rule.get("normalise") == "target") != (rule.get("target") is not None):
        yield path, "`normalise: target` and `target: NUMBER` go together: the value is divided by the number"


def _check_judgement(rule: dict[str, Any], path: KeyPath, ways: Sequence[str]) -> Found:
    given = [key for key in ways if rule.get(key) is not None]
    if len(given) != 1:
        has = f"has {' and '.join(given)}" if given else "has none"
        legal = f"{', '.join(ways[:-1])} and {ways[-1]}"
        yield path, f"needs exactly one of {legal}, to turn its value into a score; {has}"
    if isinstance(rule.get("curve"), dict):
        yield from _check_curve(rule["curve"], (*path, "curve"))
    if isinstance(rule.get("steps"), list):
        yield from _check_steps([mapping(step) for step in rule["steps"]], (*path, "steps"))


def _check_ages(judgements: dict[str, Any], path: KeyPath) -> Found:
    if not judgements:
        yield path, "needs at least one age in days, as in {90: {curve: {0: 0, 1: 100}}}"
    ages = [(key, number) for key in judgements if (number := as_number(key)) is not None]
    for (before, low), (key, high) in pairwise(ages):
        if high <= low:
            yield (*path, key), f"ages should ascend; {key} comes after {before}"
    for key, judgement in judgements.items():
        if isinstance(judgement, dict):
            yield from _check_judgement(judgement, (*path, key), ("curve", "steps", "half_life"))


def _check_curve(curve: dict[str, Any], path: KeyPath) -> Found:
    if len(curve) < 2:
        yield path, "needs at least two points, as in {0: 0, 1: 100}"
    places = [(key, number) for key in curve if (number := as_number(key)) is not None]
    for (before, low), (key, high) in pairwise(places):
        if high <= low:
            yield (*path, key), f"points should ascend; {key} comes after {before}"


def _check_steps(steps: list[dict[str, Any]], path: KeyPath) -> Found:
    if len(steps) < 2:
        yield path, "needs at least two steps, as in [{up_to: 7, score: 75}, {score: 0}]"
        return
    has_from = [step.get("from") is not None for step in steps]
    has_up_to = [step.get("up_to") is not None for step in steps]
    by_from = all(has_from) and not any(has_up_to)
    by_up_to = all(has_up_to[:-1]) and not has_up_to[-1] and not any(has_from)
    if not by_from and not by_up_to:
        yield (
            path,
            (
                "should be written in one of two ways: [{up_to: 0, score: 100}, {up_to: 7, score: 75}, {score: 0}] "
                "or [{from: 0, score: 0}, {from: 50, score: 100}]"
            ),
        )
        return
    key = "from" if by_from else "up_to"
    edges = [as_number(step.get(key)) for step in steps]
    for number, (low, high) in enumerate(pairwise(edges), start=1):
        if low is not None and high is not None and high <= low:
            yield (*path, number), f"steps should ascend; {key} {high:g} comes after {low:g}"


def _check_bands(bands: dict[str, Any]) -> Found:
    path: KeyPath = ("bands",)
    missing = [name for name in BANDS if name not in bands]
    if missing:
        yield path, f"{' and '.join(missing)} missing; write all three, as in {{red: 0, yellow: 50, green: 75}}"
    for name in bands:
        if name not in BANDS:
            yield (*path, name), f"unknown band; {suggest(name, BANDS)}"
    explicit = [isinstance(body, dict) for body in bands.values()]
    if any(explicit) and not all(explicit):
        yield path, "write either where each band begins, or `from` and `to` of each; not a mixture"
        return
    ranges = _band_ranges({name: body for name, body in bands.items() if name in BANDS})
    if ranges is not None and len(ranges) == len(BANDS):
        yield from ((path, text) for text in _untiled(ranges))


def _band_ranges(bands: dict[str, Any]) -> list[tuple[str, float, float]] | None:
    """(band, from, to) in ascending order; None where a number is not one (told elsewhere)."""
    starts = {name: as_number(body.get("from") if isinstance(body, dict) else body) for name, body in bands.items()}
    known = sorted((start, BANDS.index(name), name) for name, start in starts.items() if start is not None)
    if len(known) != len(bands):
        return None
    ranges = []
    for place, (start, _, name) in enumerate(known):
        following = known[place + 1][0] if place + 1 < len(known) else 100.0
        written = mapping(bands[name]).get("to")
        end = following if written is None else as_number(written)
        if end is None:
            return None
        ranges.append((name, start, end))
    return ranges


def _untiled(ranges: list[tuple[str, float, float]]) -> Iterator[str]:
    """Sentences for overlaps, gaps and a wrong order; none where the bands tile 0 to 100."""
    if [name for name, _, _ in ranges] != list(BANDS):
        begins = ", ".join(f"{name} begins at {start:g}" for name, start, _ in ranges)
        yield f"should ascend from red over yellow to green (a higher score is healthier); {begins}"
    for name, start, end in ranges:
        if end <= start:
            yield f"{name} {start:g}-{end:g} is empty; it should end above where it begins"
    first, last = ranges[0], ranges[-1]
    if first[1] > 0:
        yield f"bands leave a gap: nothing covers 0 to {first[1]:g}, below {_range(first)}"
    for before, after in pairwise(ranges):
        if after[1] < before[2]:
            yield f"bands overlap: {_range(after)} and {_range(before)}"
        elif after[1] > before[2]:
            between = f"between {_range(before)} and {_range(after)}"
            yield f"bands leave a gap: nothing covers {before[2]:g} to {after[1]:g}, {between}"
    if last[2] < 100:
        yield f"bands leave a gap: nothing covers {last[2]:g} to 100, above {_range(last)}"


def _range(band: tuple[str, float, float]) -> str:
    return f"{band[0]} {band[1]:g}-{band[2]:g}"


def _check_exception(
    exception: dict[str, Any], path: KeyPath, data: dict[str, Any], measures: Collection[str]
) -> Found:
    when = mapping(exception.get("when"))
    measure, lens = when.get("measure"), when.get("lens")
    if when and (measure is None) == (lens is None):
        yield (*path, "when"), "needs either `measure` or, in a scorecard made of lenses, `lens`"
    elif isinstance(lens, str) and lens not in mapping(data.get("lenses")):
        yield (*path, "when", "lens"), f"{show(lens)} is no part of this scorecard; add it to `lenses`"
    scored = {name for body in mapping(data.get("groups")).values() for name in mapping(mapping(body).get("measures"))}
    if isinstance(measure, str) and measure not in measures:
        yield (*path, "when", "measure"), f"{show(measure)} is no measure; {suggest(measure, measures)}"
    elif isinstance(measure, str) and measure not in scored:
        yield (*path, "when", "measure"), f"{show(measure)} is in no group of this scorecard; add it to one"
    lower = [key for key in ("above", "at_least") if when.get(key) is not None]
    upper = [key for key in ("below", "at_most") if when.get(key) is not None]
    if when and (len(lower) > 1 or len(upper) > 1 or not lower + upper):
        yield (*path, "when"), "needs one of above and at_least, one of below and at_most, or one of each"
    elif lower and upper:
        low, high = as_number(when[lower[0]]), as_number(when[upper[0]])
        if low is not None and high is not None and high <= low:
            yield (*path, "when"), f"{lower[0]} {low:g} and {upper[0]} {high:g} can never both hold"
    if sum(exception.get(key) is not None for key in ("cap", "floor", "band")) != 1:
        yield (
            path,
            "needs exactly one of cap (the score is at most this), floor (at least this) and band (within this band)",
        )
