"""Scorecards as they would be: those of a lens with other group weights, or with a file that is not in config.

Nothing here writes: `health whatif` scores by what these functions return.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dagster_project.config_file import ConfigError, suggest
from dagster_project.config_types import show
from dagster_project.scorecards.load import LoadedScorecard, arranged, read_scorecard
from dagster_project.scorecards.schema import Weight

_EXAMPLE = "--weights usage=40,support=20"


@dataclass(frozen=True)
class Proposal:
    """The active scorecards of one lens as they would be, and of the lenses they are made of, in the order tried.

    `changes` says in words what differs from the current ones; empty if nothing does.
    """

    lens: str
    scorecards: tuple[LoadedScorecard, ...]
    changes: tuple[str, ...]


def parse_weights(text: str) -> dict[str, Decimal]:
    """`usage=40,support=20` as group and weight. Raises ConfigError with every part that cannot be read."""
    weights: dict[str, Decimal] = {}
    problems = []
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not number:
            problems.append(f"--weights: {show(part.strip())} is not GROUP=WEIGHT, as in {_EXAMPLE}")
        elif name in weights:
            problems.append(f"--weights: the group {name} stands there twice; once is enough")
        else:
            try:
                weights[name] = _weight(number)
            except ValueError as error:
                problems.append(f"--weights: {name}: {error}")
    if problems:
        raise ConfigError(problems)
    return weights


def _weight(text: str) -> Decimal:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"should be a number, is {show(text)}") from None
    try:
        weight: Decimal = TypeAdapter(Weight).validate_python(number)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None
    return weight


def with_weights(loaded: Sequence[LoadedScorecard], lens: str, weights: Mapping[str, Decimal], on: date) -> Proposal:
    """The scorecards of the lens that are in force on a day, with these group weights; older versions stay as they are.

    A group that only some of them have is changed in those. Raises ConfigError for a lens or group that is not there.
    """
    active = _active(loaded, lens)
    groups = list(dict.fromkeys(name for one in active if in_force(one, on) for name in one.spec.parts))
    unknown = [name for name in weights if name not in groups]
    if unknown:
        raise ConfigError(
            [f"--weights: {show(name)} is no group of the lens {lens}; {suggest(name, groups)}" for name in unknown]
        )
    changes: list[str] = []
    proposed = []
    for one in active:
        changed = {name: weight for name, weight in weights.items() if name in one.spec.parts and in_force(one, on)}
        for name, weight in changed.items():
            before = one.spec.parts[name].weight
            if before != weight:
                changes.append(
                    f"{one.spec.scorecard}: weight of {name} {before.normalize():f} -> {weight.normalize():f}"
                )
        proposed.append(_reweighed(one, changed))
    return Proposal(lens, arranged([*proposed, *_parts_of(proposed, loaded)]), tuple(changes))


def _parts_of(proposed: Sequence[LoadedScorecard], loaded: Sequence[LoadedScorecard]) -> list[LoadedScorecard]:
    """The active scorecards of the lenses that the proposed ones are made of."""
    lenses = {lens for one in proposed for lens in one.spec.lenses or {}}
    return [one for one in loaded if one.spec.lens in lenses and one.spec.status == "active"]


def _reweighed(one: LoadedScorecard, weights: Mapping[str, Decimal]) -> LoadedScorecard:
    parts = {
        name: body.model_copy(update={"weight": weights.get(name, body.weight).quantize(body.weight)})
        for name, body in one.spec.parts.items()
    }
    return replace(one, spec=one.spec.model_copy(update={"lenses" if one.spec.lenses else "groups": parts}))


def with_file(
    loaded: Sequence[LoadedScorecard], path: Path, lens: str | None = None, measures: Collection[str] | None = None
) -> Proposal:
    """The scorecards of the file's lens with the file among them, as if it had always been in force.

    It takes the place of the scorecard of the same name; a default of another name takes the place of the lens'
    default; one with conditions of another name comes beside the others. Its `status` and `effective_from` do not
    matter. Raises ConfigError with file and line.
    """
    given = read_scorecard(path, measures)
    spec = given.spec.model_copy(update={"status": "active", "effective_from": None})
    if lens is not None and lens != spec.lens:
        raise ConfigError([given.document.problem(("lens",), f"is {spec.lens}, but --lens says {lens}")])
    if spec.lens not in {one.spec.lens for one in loaded}:
        legal = suggest(spec.lens, _lenses(loaded))
        raise ConfigError(
            [given.document.problem(("lens",), f"the lens {spec.lens} has no scores to compare with; {legal}")]
        )
    active = _active(loaded, spec.lens)
    everywhere = [one for one in loaded if one.spec.status == "active"]
    name = spec.scorecard
    if name not in {one.spec.scorecard for one in everywhere} and spec.applies_to.is_default:
        name = next(one.spec.scorecard for one in active if one.spec.applies_to.is_default)
    others = [one for one in everywhere if one.spec.scorecard != name]
    replaced = [one for one in active if one.spec.scorecard == name]
    scorecards = arranged([*others, replace(given, spec=spec)])
    kept = tuple(one for one in scorecards if one.spec.lens == spec.lens or one.spec.lens in (spec.lenses or {}))
    if any(one.hash == spec.content_hash for one in replaced) and len(replaced) == 1:
        return Proposal(spec.lens, kept, ())
    place = f"in place of {', '.join(one.label for one in replaced)}" if replaced else "beside the others of its lens"
    return Proposal(spec.lens, kept, (f"{spec.scorecard} {spec.version} from {given.document.shown}, {place}",))


def _active(loaded: Sequence[LoadedScorecard], lens: str) -> list[LoadedScorecard]:
    active = [one for one in loaded if one.spec.lens == lens and one.spec.status == "active"]
    if not active:
        raise ConfigError([f"--lens: no scorecard has the lens {lens}; {suggest(lens, _lenses(loaded))}"])
    return active


def _lenses(loaded: Sequence[LoadedScorecard]) -> list[str]:
    return sorted({one.spec.lens for one in loaded})


def in_force(one: LoadedScorecard, on: date) -> bool:
    """Whether no newer version has taken over on a day, and this one has begun."""
    return one.spec.begins <= on and (one.effective_to is None or on < one.effective_to)
