"""What a file in config/scorecards/ may say. What holds between its keys is in checks.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dagster_project.config_types import (
    Day,
    KeyNumber,
    Name,
    Number,
    Strict,
    Text,
    Whole,
    as_number,
    finite,
    refuse,
    show,
)
from dagster_project.scorecards.segments import Segment, above, curve_segments, half_life_segment, step_segments

Band = Literal["red", "yellow", "green"]
RollUp = Literal["mean", "lowest", "highest"]
ParentRollUp = Literal["arr_weighted_mean", "mean", "worst"]
PeerGroup = Literal["all", "segment", "plan", "lifecycle_stage", "industry", "region"]
Normalise = Literal["peer_percentile", "peer_z_score", "own_baseline", "target"]

_LARGEST = 1e12  # far above any measure; keeps the arithmetic on a curve finite


def _weight(value: object) -> Decimal:
    """Exact decimals, so that shares add up to 1 the same way on every engine."""
    if isinstance(value, Decimal):
        return value
    number = finite(value)
    weight = Decimal(str(number)).quantize(Decimal("0.000001")) if number < 1e9 else None
    if weight is None or weight <= 0:
        raise refuse(f"should be more than 0 and less than a billion, is {number:g}; leave out what should not count")
    return weight


def _point(value: float) -> float:
    if abs(value) > _LARGEST:
        raise refuse(f"should lie within -1e12 and 1e12, is {value:g}")
    return value


def _score(value: float) -> float:
    if not 0 <= value <= 100:
        raise refuse(f"a score lies within 0 and 100; is {value:g}")
    return value


def _age(value: object) -> int:
    number = as_number(value)
    if number is None or number < 0 or number != int(number) or number >= 1e6:
        raise refuse(f"should be a whole number of days since the account was created, such as 90; is {show(value)}")
    return int(number)


def _conditions(value: object) -> object:
    """`applies_to: default` is the scorecard without conditions."""
    if value == "default":
        return {}
    if not isinstance(value, dict) or not value:
        raise refuse(f"should be `default`, or conditions such as {{segment: [enterprise]}}; is {show(value)}")
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _lens_weight(value: object) -> object:
    """`product: 40` is short for `product: {weight: 40}`."""
    return value if isinstance(value, dict) else {"weight": value}


def _band(value: object) -> object:
    """`green: 75` is short for `green: {from: 75}`."""
    return value if isinstance(value, dict) else {"from": value}


# json_schema_input_type and WithJsonSchema: what an editor is told (json_schema.py); the validators alone decide.
Weight = Annotated[Decimal, BeforeValidator(_weight, json_schema_input_type=Annotated[float, Field(gt=0, lt=1e9)])]
Score = Annotated[Number, AfterValidator(_score), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
Point = Annotated[Number, AfterValidator(_point)]
KeyPoint = Annotated[KeyNumber, AfterValidator(_point)]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=Text | Annotated[list[Text], Field(min_length=1)]),
    Field(min_length=1),
]
HalfLife = Annotated[Point, Field(gt=0)]
KeyAge = Annotated[
    int, BeforeValidator(_age, json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,6}$")])
]  # keys of YAML mappings are text
CoverageFloor = Annotated[Number, Field(ge=0, le=1)]


class AgeRange(Strict):
    """Days since the account was created: `from` included, `to` not."""

    from_: Annotated[Whole, Field(ge=0)] | None = Field(default=None, alias="from")
    to: Annotated[Whole, Field(ge=1)] | None = None


class Conditions(Strict):
    """Which accounts a scorecard judges: all conditions must hold; in a list, any of its values."""

    segment: Texts | None = None
    plan: Texts | None = None
    lifecycle_stage: Texts | None = None
    industry: Texts | None = None
    region: Texts | None = None
    account_age_days: AgeRange | None = None

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The conditions on texts, by field."""
        fields = ("segment", "plan", "lifecycle_stage", "industry", "region")
        return {name: getattr(self, name) for name in fields if getattr(self, name) is not None}

    @property
    def is_default(self) -> bool:
        """True where nothing is asked: the scorecard for every account that no other one of its lens takes."""
        return not self.texts and self.account_age_days is None


class Step(Strict):
    """One step: everything up to and including `up_to`, or everything from `from` on."""

    up_to: Point | None = None
    from_: Point | None = Field(default=None, alias="from")
    score: Score


class Judgement(Strict):
    """From a value to a score: one of curve, steps and half_life."""

    curve: dict[KeyPoint, Score] | None = None
    steps: tuple[Step, ...] | None = None
    half_life: HalfLife | None = None

    @property
    def segments(self) -> list[Segment]:
        """The curve, the steps or the decay as the pieces that SQL joins."""
        if self.curve is not None:
            return curve_segments(self.curve)
        if self.half_life is not None:
            return [half_life_segment(self.half_life)]
        steps = self.steps or ()
        starts = [step.from_ for step in steps[1:] if step.from_ is not None]
        starts = starts or [above(step.up_to) for step in steps if step.up_to is not None]
        return step_segments(starts, [step.score for step in steps])


class ScoredMeasure(Strict):
    """How one measure counts: its weight in the group, how old it may be, and one of curve, steps and half_life.

    `normalise` puts something else than the value itself on the curve: its percentile or z-score among the peers, or
    its ratio to the account's own past or to `target`. `shrink_to_peers` is k of (n*s + k*m) / (n + k).
    `by_account_age` holds a judgement of its own for each age in days from which it applies.
    """

    weight: Weight
    max_age_days: Annotated[Whole, Field(ge=1)] | None = None
    normalise: Normalise | None = None
    target: Annotated[Point, Field(gt=0)] | None = None
    shrink_to_peers: Annotated[Whole, Field(ge=1)] | None = None
    curve: dict[KeyPoint, Score] | None = None
    steps: tuple[Step, ...] | None = None
    half_life: HalfLife | None = None
    by_account_age: dict[KeyAge, Judgement] | None = None
    warn_age_days: Annotated[Whole, Field(ge=1)] | None = None

    @property
    def asked_from_age(self) -> int | None:
        """Days since its creation from which an account is asked for this measure; None is always."""
        return min(self.by_account_age) or None if self.by_account_age else None

    @property
    def segments(self) -> list[Segment]:
        """The pieces that SQL joins, those of each account age after those of a lower one."""
        if self.by_account_age is None:
            return Judgement(curve=self.curve, steps=self.steps, half_life=self.half_life).segments
        ages = sorted(self.by_account_age)
        return [
            replace(piece, age_from=age, age_to=following)
            for age, following in zip(ages, [*ages[1:], None], strict=True)
            for piece in self.by_account_age[age].segments
        ]


class Group(Strict):
    """Measures that belong together; their scores become one by `roll_up`."""

    title: Text
    weight: Weight
    roll_up: RollUp = "mean"
    measures: Annotated[dict[str, ScoredMeasure], Field(min_length=1)]


class BandRange(Strict):
    """A band's scores: `from` included, `to` not (but 100 belongs to the highest)."""

    from_: Score = Field(alias="from")
    to: Score | None = None


class When(Strict):
    """A condition on a measure's value or a lens's score; one lower bound, one upper bound, or both."""

    measure: Text | None = None
    above: Point | None = None
    at_least: Point | None = None
    below: Point | None = None
    at_most: Point | None = None
    lens: Text | None = None

    @property
    def subject(self) -> str:
        """The measure, or the lens as a measure."""
        return self.measure or lens_measure(str(self.lens))

    @property
    def value_from(self) -> float | None:
        """The lowest value that meets the condition; None is unbounded."""
        return above(self.above) if self.above is not None else self.at_least

    @property
    def value_to(self) -> float | None:
        """The lowest value above all that meet the condition; None is unbounded."""
        return above(self.at_most) if self.at_most is not None else self.below


class LensPart(Strict):
    """How the score of another lens counts in a score made of lenses."""

    weight: Weight


LensWeight = Annotated[LensPart, BeforeValidator(_lens_weight, json_schema_input_type=Weight | LensPart)]


class ScoreException(Strict):
    """While the condition holds, the final score is at most `cap`, at least `floor`, or within `band`."""

    when: When
    cap: Score | None = None
    floor: Score | None = None
    band: Band | None = None
    because: Text


class Parents(Strict):
    """How an account is judged together with all accounts below it; `counts_own`: its own score counts among them."""

    roll_up: ParentRollUp = "arr_weighted_mean"
    counts_own: bool = Field(default=True, strict=True)


def lens_measure(lens: str) -> str:
    """The name under which the score of a lens stands among the measures; no measure is called so."""
    return f"lens:{lens}"


class Scorecard(Strict):
    """One version of one scorecard: made of groups of measures, or of the scores of other lenses."""

    scorecard: Name
    title: Text
    version: Text
    lens: Name = "overall"
    status: Literal["active", "candidate"] = "active"
    effective_from: Day | None = None
    order: Whole = 100
    applies_to: Annotated[
        Conditions, BeforeValidator(_conditions, json_schema_input_type=Literal["default"] | Conditions)
    ]
    coverage_floor: CoverageFloor
    bands: dict[Band, Annotated[BandRange, BeforeValidator(_band, json_schema_input_type=Score | BandRange)]]
    roll_up: RollUp = "mean"
    peer_group: PeerGroup = "segment"
    groups: Annotated[dict[Name, Group], Field(min_length=1)] = Field(default_factory=dict)
    exceptions: tuple[ScoreException, ...] = ()
    grace_days: Annotated[Whole, Field(ge=1)] | None = None
    parents: Parents = Parents()
    lenses: Annotated[dict[Name, LensWeight], Field(min_length=1)] | None = None

    @property
    def parts(self) -> Mapping[str, Group | LensPart]:
        """What is weighed: the groups, or the lenses, by name."""
        return self.lenses or self.groups

    @property
    def measures(self) -> dict[str, tuple[str, ScoredMeasure]]:
        """Every measure with its group's name, in the order written."""
        return {name: (group, rule) for group, body in self.groups.items() for name, rule in body.measures.items()}

    @property
    def band_ranges(self) -> list[tuple[str, float, float]]:
        """(band, lower, upper) from 0 to 100."""
        starts = sorted((body.from_, name) for name, body in self.bands.items())
        ends = [start for start, _ in starts[1:]] + [100.0]
        return [(name, start, end) for (start, name), end in zip(starts, ends, strict=True)]

    @property
    def content_hash(self) -> str:
        """12 hex digits over everything that decides a score, comments and layout apart.

        Status, order and effective_from say when a version is used, not how it judges: a candidate that becomes active
        keeps its hash, and with it its history. What is left at its default has no part in it, so that a key that this
        project learns later changes no hash.
        """
        used = {"status", "order", "effective_from"}
        content = self.model_dump(mode="json", by_alias=True, exclude=used, exclude_defaults=True)
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:12]

    @property
    def begins(self) -> date:
        """The first day this version is in force; the beginning of time where the file names none."""
        return self.effective_from or date.min
