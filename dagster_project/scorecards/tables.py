"""The configuration as tables: what the scoring SQL joins instead of carrying numbers of its own.

Every table is typed here, so that an empty one has the same columns as a full one. Positions and numbers begin at 1;
key features begin at 0, because a feature's position is its bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dagster_project.provider_settings import read_customer_map
from dagster_project.scorecards.alerts import AlertRule, AlertRules
from dagster_project.scorecards.load import LoadedScorecard
from dagster_project.scorecards.schema import ScoreException, lens_measure
from dagster_project.settings import Settings

_TEXT, _REAL, _WHOLE, _DAY, _FLAG = pa.string(), pa.float64(), pa.int32(), pa.date32(), pa.bool_()
_WEIGHT = pa.decimal128(18, 6)
TOP_SCORE = 100
BELOW_BAND = 0.01  # the next band begins at its first score, so the one below ends a little under it

SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    "settings": {
        "company": _TEXT, "first_day": _DAY, "last_day": _DAY, "look_back_days": _WHOLE, "config_hash": _TEXT,
        "outage_share": _REAL, "gross_margin": _REAL, "repeats_days": _WHOLE,
        "mass_move_share": _REAL, "mass_move_points": _REAL, "alerts_hash": _TEXT,
    },
    "key_features": {"plan": _TEXT, "feature": _TEXT, "position": _WHOLE},
    "scorecards": {
        "scorecard_hash": _TEXT, "scorecard_id": _TEXT, "version": _TEXT, "title": _TEXT, "lens": _TEXT,
        "status": _TEXT, "position": _WHOLE, "is_default": _FLAG, "coverage_floor": _REAL, "roll_up": _TEXT,
        "peer_group": _TEXT, "is_current": _FLAG, "effective_from": _DAY, "effective_to": _DAY,
        "grace_days": _WHOLE,
        "parent_roll_up": _TEXT, "counts_own": _FLAG,
    },
    "scorecard_conditions": {
        "scorecard_hash": _TEXT, "condition_no": _WHOLE, "field": _TEXT, "text_value": _TEXT, "number_from": _REAL,
        "number_to": _REAL,
    },
    "scorecard_groups": {
        "scorecard_hash": _TEXT, "measure_group": _TEXT, "title": _TEXT, "weight": _WEIGHT, "roll_up": _TEXT,
        "position": _WHOLE,
    },
    "scorecard_measures": {
        "scorecard_hash": _TEXT, "measure": _TEXT, "measure_group": _TEXT, "weight": _WEIGHT, "max_age_days": _WHOLE,
        "normalise": _TEXT, "target": _REAL, "shrink_to_peers": _WHOLE, "position": _WHOLE, "warn_age_days": _WHOLE,
        "asked_from_age": _WHOLE, "scored_lens": _TEXT,
    },
    "score_segments": {
        "scorecard_hash": _TEXT, "measure": _TEXT, "segment_no": _WHOLE, "lower_value": _REAL, "upper_value": _REAL,
        "x0": _REAL, "x1": _REAL, "y0": _REAL, "y1": _REAL, "half_life": _REAL,
        "age_from": _WHOLE, "age_to": _WHOLE,
    },
    "scorecard_bands": {
        "scorecard_hash": _TEXT, "band": _TEXT, "lower_score": _REAL, "upper_score": _REAL, "position": _WHOLE,
    },
    "scorecard_exceptions": {
        "scorecard_hash": _TEXT, "exception_no": _WHOLE, "measure": _TEXT, "value_from": _REAL, "value_to": _REAL,
        "kind": _TEXT, "limit_score": _REAL, "reason": _TEXT,
    },
    "alert_rules": {
        "rule": _TEXT, "title": _TEXT, "kind": _TEXT, "lens": _TEXT, "measure": _TEXT, "line": _REAL, "points": _REAL,
        "days": _WHOLE, "band": _TEXT, "dwell_days": _WHOLE, "close_margin": _REAL, "close_days": _WHOLE,
        "unknown_days": _WHOLE, "cool_down_days": _WHOLE, "severity": _TEXT, "position": _WHOLE,
    },
    "alert_conditions": {
        "rule": _TEXT, "field": _TEXT, "text_value": _TEXT, "number_from": _REAL, "number_to": _REAL,
    },
    "match_rules": {"source": _TEXT, "rule": _TEXT, "position": _WHOLE, "warn_share": _REAL},
    "customer_map": {"source": _TEXT, "customer_id": _TEXT, "account_id": _TEXT},
}  # fmt: skip

Row = tuple[Any, ...]


def config_tables(settings: Settings, scorecards: Sequence[LoadedScorecard], alerts: AlertRules) -> dict[str, pa.Table]:
    """Every table of the schema raw_config, by name. The same configuration gives the same rows in the same order."""
    per_scorecard: dict[str, Callable[[LoadedScorecard], Iterable[Row]]] = {
        "scorecards": _scorecard,
        "scorecard_conditions": _conditions,
        "scorecard_groups": _groups,
        "scorecard_measures": _measures,
        "score_segments": _segments,
        "scorecard_bands": _bands,
        "scorecard_exceptions": _exceptions,
    }
    rows = {
        "settings": [_settings(settings, scorecards, alerts)],
        "key_features": list(_key_features(settings)),
        "alert_rules": [_alert(rule, place) for place, rule in enumerate(alerts.rules, start=1)],
        "alert_conditions": [row for rule in alerts.rules for row in _alert_conditions(rule)],
        "match_rules": list(_match_rules(settings)),
        "customer_map": list(_customer_map(settings)),
        **{name: [row for one in scorecards for row in make(one)] for name, make in per_scorecard.items()},
    }
    return {name: _table(columns, rows[name]) for name, columns in SCHEMAS.items()}


def _table(columns: dict[str, pa.DataType], rows: Sequence[Row]) -> pa.Table:
    schema = pa.schema(list(columns.items()))
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema=schema)


def _settings(settings: Settings, scorecards: Sequence[LoadedScorecard], alerts: AlertRules) -> Row:
    days = settings.days
    return (
        settings.company,
        days.first,
        days.last,
        settings.look_back_days,
        settings.content_hash,
        settings.outage_share,
        settings.billing.gross_margin,
        settings.repeats_days,
        alerts.mass_move.share,
        alerts.mass_move.points,
        _alerts_hash(scorecards, alerts),
    )


def _alerts_hash(scorecards: Sequence[LoadedScorecard], alerts: AlertRules) -> str:
    """Of all that decides how a day is judged: what the rules ask, what a move is, which scorecards are in force."""
    asked = [
        (one.rule, one.kind, one.lens, one.measure, one.line, one.points, one.days, one.band, one.margin,
         *_alert_conditions(one))
        for one in sorted(alerts.rules, key=lambda one: one.rule)
    ]  # fmt: skip
    in_force = sorted(one.hash for one in scorecards)
    return hashlib.sha256(repr((asked, alerts.mass_move.points, in_force)).encode()).hexdigest()


def _key_features(settings: Settings) -> Iterator[Row]:
    bits = {feature: bit for bit, feature in enumerate(settings.features)}
    for plan, features in settings.key_features.items():
        yield from ((plan, feature, bits[feature]) for feature in features)


def _match_rules(settings: Settings) -> Iterator[Row]:
    for name, source in settings.sources.providers.items():
        yield from ((name, rule, place, source.match.warn_share) for place, rule in enumerate(source.match.by, start=1))


def _customer_map(settings: Settings) -> Iterator[Row]:
    for name, source in settings.sources.providers.items():
        if source.match.mapping is not None:
            yield from ((name, *pair) for pair in read_customer_map(source.match.mapping))


def _scorecard(one: LoadedScorecard) -> Iterator[Row]:
    spec = one.spec
    yield (
        one.hash, spec.scorecard, spec.version, spec.title, spec.lens, spec.status, one.position,
        spec.applies_to.is_default, spec.coverage_floor, spec.roll_up, spec.peer_group, True,
        spec.effective_from, one.effective_to, spec.grace_days, spec.parents.roll_up, spec.parents.counts_own,
    )  # fmt: skip


def _conditions(one: LoadedScorecard) -> Iterator[Row]:
    texts, age = one.spec.applies_to.texts, one.spec.applies_to.account_age_days
    for number, (name, values) in enumerate(texts.items(), start=1):
        yield from ((one.hash, number, name, value, None, None) for value in values)
    if age is not None:
        yield one.hash, len(texts) + 1, "account_age_days", None, age.from_, age.to


def _groups(one: LoadedScorecard) -> Iterator[Row]:
    for place, (name, group) in enumerate(one.spec.groups.items(), start=1):
        yield one.hash, name, group.title, group.weight, group.roll_up, place
    for place, (lens, part) in enumerate((one.spec.lenses or {}).items(), start=1):
        yield one.hash, lens, lens.replace("_", " ").capitalize(), part.weight, "mean", place


def _measures(one: LoadedScorecard) -> Iterator[Row]:
    for place, (name, (group, rule)) in enumerate(one.spec.measures.items(), start=1):
        how = (rule.normalise, rule.target, rule.shrink_to_peers)
        ages = (rule.warn_age_days, rule.asked_from_age)
        yield one.hash, name, group, rule.weight, rule.max_age_days, *how, place, *ages, None
    for place, lens in enumerate(one.spec.lenses or {}, start=1):
        nothing = (None, None, None, None)
        yield one.hash, lens_measure(lens), lens, Decimal(1), *nothing, place, None, None, lens


def _segments(one: LoadedScorecard) -> Iterator[Row]:
    for name, (_, rule) in one.spec.measures.items():
        for number, piece in enumerate(rule.segments, start=1):
            line = (piece.x0, piece.x1, piece.y0, piece.y1)
            rest = (piece.half_life, piece.age_from, piece.age_to)
            yield one.hash, name, number, piece.lower, piece.upper, *line, *rest


def _bands(one: LoadedScorecard) -> Iterator[Row]:
    for place, (band, lower, upper) in enumerate(one.spec.band_ranges, start=1):
        yield one.hash, band, lower, upper, place


def _exceptions(one: LoadedScorecard) -> Iterator[Row]:
    for number, rule in enumerate(one.spec.exceptions, start=1):
        when = (rule.when.subject, rule.when.value_from, rule.when.value_to)
        for kind, limit in _limits(one, rule):
            yield one.hash, number, *when, kind, limit, rule.because


def _limits(one: LoadedScorecard, rule: ScoreException) -> Iterator[tuple[str, float]]:
    """A band is a floor where it begins and a cap just below the next one."""
    if rule.cap is not None:
        yield "cap", rule.cap
    if rule.floor is not None:
        yield "floor", rule.floor
    for band, lower, upper in one.spec.band_ranges:
        if band == rule.band:
            yield "floor", lower
            yield "cap", upper if upper == TOP_SCORE else upper - BELOW_BAND


def _alert(rule: AlertRule, place: int) -> Row:
    return (
        rule.rule, rule.title, rule.kind, rule.lens, rule.measure, rule.line, rule.points, rule.days, rule.band,
        rule.dwell_days, rule.margin, rule.close_days, rule.unknown_days, rule.cool_down_days, rule.severity, place,
    )  # fmt: skip


def _alert_conditions(rule: AlertRule) -> Iterator[Row]:
    for name, values in rule.accounts.texts.items():
        yield from ((rule.rule, name, value, None, None) for value in values)
    if rule.accounts.arr is not None:
        yield rule.rule, "arr", None, rule.accounts.arr.from_, rule.accounts.arr.to
