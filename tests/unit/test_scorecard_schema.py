"""The JSON Schema that editors read: it takes what the loader takes, and underlines the common mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dagster_project.config_file import read_document
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.settings import PROJECT_ROOT
from tests.unit.test_reference import SCORECARD, altered

SCHEMA_FILE = PROJECT_ROOT / "docs" / "reference" / "scorecard.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
SHIPPED = sorted(
    path
    for folder in ("config/scorecards", "examples")
    for path in (PROJECT_ROOT / folder).rglob("*.yml")
    if path.parent.name == "scorecards"
)


def said(path: Path) -> list[str]:
    """What an editor would underline, as `place: message`."""
    errors = Draft202012Validator(SCHEMA).iter_errors(read_document(path).data)
    return sorted(f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors)


def changed(folder: Path, change: str) -> list[str]:
    path = folder / "scorecard.yml"
    path.write_text(altered(SCORECARD, change, folder), encoding="utf-8")
    return said(path)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scorecard_is_right_and_names_it(path: Path) -> None:
    assert said(path) == []
    (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert (path.parent / named).resolve() == SCHEMA_FILE


def test_some_are_shipped() -> None:
    assert len(SHIPPED) >= 3


# The changes are of the file that test_reference.py takes, too.
@pytest.mark.parametrize(
    "change",
    [
        "applies_to: default",
        "applies_to: {segment: enterprise, plan: [pro, basic], account_age_days: {from: 90}}",
        "bands: {red: {from: 0, to: 50}, yellow: {from: 50, to: 75}, green: {from: 75}}",
        "effective_from: 2026-07-01",
        "status: candidate",
        "order: 10",
        "parents: {roll_up: worst, counts_own: false}",
    ],
)
def test_what_is_legal_is_taken(tmp_path: Path, change: str) -> None:
    assert changed(tmp_path, change) == []


@pytest.mark.parametrize(
    "change",
    [
        "aplies_to: default",
        "applies_to: everyone",
        "applies_to: {tier: gold}",
        "version: 2026.1",
        "status: draft",
        "scorecard: My Score",
        "coverage_floor: 70",
        "effective_from: tomorrow",
        "order: early",
        "bands: {red: 0, yellow: 50}",
        "bands: {red: 0, yellow: 50, green: 175}",
        "bands: {red: 0, yellow: 50, green: 75, blue: 90}",
        "roll_up: median",
        "parents: {roll_up: lowest}",
        "parents: {counts_own: yes}",
        "parents: {rollup: mean}",
        "groups: {}",
        "title",
    ],
)
def test_a_mistake_at_the_top_is_refused(tmp_path: Path, change: str) -> None:
    assert changed(tmp_path, change) != []


@pytest.mark.parametrize(
    "rule",
    [
        "{weight: 1, curve: {-0.3: 0, 1e2: 100}}",
        "{weight: 0.5, max_age_days: 30, steps: [{up_to: 7, score: 75}, {score: 0}]}",
        "{weight: 1, half_life: 30}",
        "{weight: 1, warn_age_days: 2, max_age_days: 3, by_account_age: {0: {half_life: 3}, 9: {curve: {0: 0, 1: 9}}}}",
    ],
)
def test_a_rule_is_taken(tmp_path: Path, rule: str) -> None:
    assert ruled(tmp_path, "csat", rule) == []


@pytest.mark.parametrize(
    ("measure", "rule"),
    [
        ("csta", "{weight: 1, half_life: 30}"),
        ("csat", "{weigth: 1, half_life: 30}"),
        ("csat", "{weight: -1, half_life: 30}"),
        ("csat", "{weight: 0, half_life: 30}"),
        ("csat", "{weight: heavy, half_life: 30}"),
        ("csat", "{weight: 1}"),
        ("csat", "{weight: 1, half_life: 30 days}"),
        ("csat", "{weight: 1, half_life: 0}"),
        ("csat", "{weight: 1, half_life: 30, curve: {0: 0, 1: 100}}"),
        ("csat", "{weight: 1, max_age: 30, half_life: 30}"),
        ("csat", "{weight: 1, max_age_days: 30d, half_life: 30}"),
        ("csat", "{weight: 1, max_age_days: 0, half_life: 30}"),
        ("csat", "{weight: 1, curve: {0: 0, 1: 101}}"),
        ("csat", "{weight: 1, by_account_age: {}}"),
        ("csat", "{weight: 1, by_account_age: {young: {half_life: 3}}}"),
        ("csat", "{weight: 1, by_account_age: {90: {half_life: 3, curve: {0: 0, 1: 100}}}}"),
        ("csat", "{weight: 1, curve: {0: 0, high: 100}}"),
        ("csat", "{weight: 1, curve: {0: 0}}"),
        ("csat", "{weight: 1, steps: [{upto: 0, score: 1}, {score: 0}]}"),
    ],
)
def test_a_mistake_in_a_rule_is_refused(tmp_path: Path, measure: str, rule: str) -> None:
    assert ruled(tmp_path, measure, rule) != []


def ruled(folder: Path, measure: str, rule: str) -> list[str]:
    return changed(folder, f"groups: {{satisfaction: {{title: S, weight: 1, measures: {{{measure}: {rule}}}}}}}")


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{name}.{key}"
        for name, part in {"": SCHEMA, **SCHEMA["$defs"]}.items()
        for key, body in part["properties"].items()
        if not body.get("description")
    ]
    assert silent == []
    assert SCHEMA["properties"]["coverage_floor"]["description"] == "with less of the weight known there is no score"


ALERTS_FILE = PROJECT_ROOT / "docs" / "reference" / "alerts.schema.json"
ALERTS_SCHEMA: dict[str, Any] = json.loads(ALERTS_FILE.read_text(encoding="utf-8"))


def said_of_alerts(text: str, folder: Path) -> list[str]:
    (folder / "alerts.yml").write_text(text, encoding="utf-8")
    return [
        error.message
        for error in Draft202012Validator(ALERTS_SCHEMA).iter_errors(read_document(folder / "alerts.yml").data)
    ]


def test_the_shipped_alerts_are_right_and_name_their_schema(tmp_path: Path) -> None:
    shipped = PROJECT_ROOT / "config" / "alerts.yml"
    text = shipped.read_text(encoding="utf-8")
    assert said_of_alerts(text, tmp_path) == []
    first, _, rest = text.partition("\n")
    assert (shipped.parent / first.partition("$schema=")[2]).resolve() == ALERTS_FILE
    commented = rest[rest.index("# delivery:") :].replace("# ", "", 1).replace("\n# ", "\n").replace("\n#", "\n")
    assert said_of_alerts(f"rules: []\n{commented}", tmp_path) == [], "the delivery that stands there as a comment"
    with_delivery = tmp_path / "whole.yml"
    with_delivery.write_text(f"rules: []\n{commented}", encoding="utf-8")
    assert load_alerts(with_delivery).delivery.enabled


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rules: [{rule: a, title: A, kind: score_below}]", "'line' is a required property"),
        ("rules: [{rule: a, title: A, kind: below, line: 1}]", "'below' is not one of"),
        ("rules: [{rule: a, title: A, kind: measure_above, measure: npss, line: 1}]", "'npss' is not one of"),
        ("delivery: {channels: {a: {webhook: env:HOOK}}}", "is not valid under any of the given schemas"),
        ("delivery: {channels: {a: {apprise: 'slack://secret'}}}", "does not match"),
        ("delivery: {enable: true}", "'enable' was unexpected"),
    ],
)
def test_an_editor_underlines_a_mistake_in_alerts(text: str, what: str, tmp_path: Path) -> None:
    assert any(what in message for message in said_of_alerts(text, tmp_path)), said_of_alerts(text, tmp_path)
