"""config/alerts.yml: the rules that make an account a breach."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dagster_project.config_file import Check, KeyPath, mapping, read_document, sequence, suggest, validate
from dagster_project.config_types import Name, Strict, Text, Whole, as_number, show
from dagster_project.scorecards.delivery import Accounts, Delivery, Severity, check_delivery
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.schema import Point

Kind = Literal[
    "score_below", "score_fell", "band_is", "band_fell", "measure_above", "measure_below", "measure_stale",
    "renewal_near", "bad_feedback", "revenue_disagrees",
]  # fmt: skip
Found = Iterator[tuple[KeyPath, str]]

# What each kind needs, and what it may say besides.
NEEDS: dict[str, tuple[str, ...]] = {
    "score_below": ("line",),
    "score_fell": ("points", "days"),
    "band_is": ("band",),
    "band_fell": ("days",),
    "measure_above": ("measure", "line"),
    "measure_below": ("measure", "line"),
    "measure_stale": ("measure",),
    "renewal_near": ("days",),
    "bad_feedback": ("days",),
    "revenue_disagrees": ("line",),
}
_WITH_MARGIN = ("score_below", "score_fell", "measure_above", "measure_below")
_OWN_KEYS = ("measure", "line", "points", "days", "band")
_SCORE_MARGIN = 5.0  # points; a measure has its own unit, so there the margin is 0 unless the rule names one

Days = Annotated[Whole, Field(ge=1, le=366)]


class MassMove(Strict):
    """A day on which more than `share` of the accounts moved the same way by more than `points`.

    So many at once is a fault of the data or of a scorecard until somebody has looked: what opens on such a
    day waits.
    """

    share: Annotated[Point, Field(gt=0, le=1)] = 0.15
    points: Annotated[Point, Field(gt=0, le=100)] = 5.0


class AlertRule(Strict):
    """One rule.

    An alert opens after `dwell_days` days in a row in which the rule holds, and closes after `close_days` days in a row
    on the healthy side of the line by `close_margin` (in the line's unit), so that an account at the line does not
    open and close every day. It closes too after `unknown_days` days in a row in which the value is not known. For
    `cool_down_days` days from its closing on it does not open again.
    """

    rule: Name
    title: Text
    kind: Kind
    lens: Name = "overall"
    measure: Text | None = None
    line: Point | None = None
    points: Annotated[Point, Field(gt=0, le=100)] | None = None
    days: Days | None = None
    band: Literal["red", "yellow", "green", "insufficient_data"] | None = None
    dwell_days: Days = 2
    close_margin: Annotated[Point, Field(ge=0)] | None = None
    close_days: Days = 2
    unknown_days: Days = 14
    cool_down_days: Annotated[Whole, Field(ge=0, le=366)] = 7
    accounts: Accounts = Accounts()
    severity: Severity = "warning"

    @property
    def margin(self) -> float:
        """`close_margin`, or what its kind has when the rule names none: 5 points for scores, 0 otherwise."""
        if self.close_margin is not None:
            return self.close_margin
        return _SCORE_MARGIN if self.kind in ("score_below", "score_fell") else 0.0


class AlertRules(Strict):
    """The file: a list of rules, when a move of many accounts holds them up, and who is told of what they find."""

    rules: tuple[AlertRule, ...] = ()
    mass_move: MassMove = MassMove()
    delivery: Delivery = Delivery()


def load_alerts(
    path: Path, measures: Collection[str] | None = None, lenses: Collection[str] | None = None
) -> AlertRules:
    """What alerts.yml says, the rules in the order written.

    `measures` are the legal names, those of the dbt project where left out; `lenses` are those that scorecards have,
    not checked where left out. Raises ConfigError with every problem of the file.
    """
    names = known_measures() if measures is None else measures
    return validate(read_document(path), AlertRules, [_alerts_check(names, lenses), check_delivery])


def _alerts_check(measures: Collection[str], lenses: Collection[str] | None) -> Check:
    def check(data: dict[str, Any]) -> Found:
        seen: dict[str, int] = {}
        for number, rule in enumerate(mapping(entry) for entry in sequence(data.get("rules"))):
            path: KeyPath = ("rules", number)
            name, measure, lens = rule.get("rule"), rule.get("measure"), rule.get("lens", "overall")
            if isinstance(name, str) and seen.setdefault(name, number) != number:
                yield (*path, "rule"), f"{show(name)} is the name of a rule above; give each its own"
            if isinstance(measure, str) and measure not in measures:
                yield (*path, "measure"), f"{show(measure)} is no measure; {suggest(measure, measures)}"
            if lenses is not None and isinstance(lens, str) and lens not in lenses:
                yield (*path, "lens"), f"no scorecard has the lens {show(lens)}; {suggest(lens, sorted(lenses))}"
            if str(rule.get("kind")) in NEEDS:
                yield from _check_kind(rule, path)

    return check


def _check_kind(rule: dict[str, Any], path: KeyPath) -> Found:
    kind = str(rule["kind"])
    needs = NEEDS[kind]
    for key in needs:
        if rule.get(key) is None:
            yield path, f"'{key}' is missing; {kind} needs {' and '.join(needs)}"
    for key in _OWN_KEYS:
        if key in rule and key not in needs:
            yield (*path, key), f"does not go with {kind}, which needs {' and '.join(needs)}; leave it out"
    if kind not in _WITH_MARGIN and "close_margin" in rule:
        yield (
            (*path, "close_margin"),
            f"does not go with {kind}: it has no line to keep away from; leave it out",
        )
    margin = as_number(rule.get("close_margin", _SCORE_MARGIN))
    line, points = as_number(rule.get("line")), as_number(rule.get("points"))
    if kind == "score_below" and line is not None and margin is not None:
        if not 0 < line <= 100:
            yield (*path, "line"), f"is a score, more than 0 and at most 100; is {line:g}"
        elif line + margin > 100:
            close = f"{line + margin:g} (close_margin {margin:g})"
            yield (*path, "line"), f"{line:g} would close at {close}, which no score reaches"
    if kind == "revenue_disagrees" and line is not None and not 0 < line <= 1:
        yield (*path, "line"), f"is a share of MRR, more than 0 and at most 1 (0.1 is 10 %); is {line:g}"
    if kind == "score_fell" and points is not None and margin is not None and margin >= points:
        yield (*path, "points"), f"{points:g} should be more than close_margin ({margin:g}), or it could never close"
