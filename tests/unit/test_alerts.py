"""config/alerts.yml: what is read from it, and the sentence that each mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.scorecards.alerts import AlertRule, load_alerts
from dagster_project.settings import PROJECT_ROOT, ConfigError

GOOD = """\
rules:
  - rule: red_score
    title: Red
    kind: score_below
    line: 50
    severity: critical
  - rule: fell
    title: Fell
    kind: score_fell
    points: 15
    days: 30
  - rule: late
    title: Late
    kind: measure_above
    measure: days_past_due
    line: 30
  - rule: unknown
    title: Unknown
    kind: band_is
    band: insufficient_data
    dwell_days: 7
"""


def load(folder: Path, text: str) -> tuple[AlertRule, ...]:
    path = folder / "alerts.yml"
    path.write_text(text, encoding="utf-8")
    return load_alerts(path, ["days_past_due", "nps"], ["overall"]).rules


def test_the_shipped_rules_are_legal() -> None:
    rules = load_alerts(PROJECT_ROOT / "config" / "alerts.yml", lenses=["overall"]).rules
    assert [(rule.rule, rule.kind) for rule in rules] == [
        ("red_score", "score_below"), ("score_fell", "score_fell"), ("payment_late", "measure_above"),
    ]  # fmt: skip
    assert (rules[0].line, rules[1].points, rules[1].days, rules[2].measure, rules[2].line) == (
        50, 15, 30, "days_past_due", 30,
    )  # fmt: skip


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    red, fell, late, unknown = load(tmp_path, GOOD)
    assert (red.lens, red.dwell_days, red.close_days, red.margin) == ("overall", 2, 2, 5)
    assert (fell.severity, fell.margin) == ("warning", 5)
    assert (late.margin, unknown.margin, unknown.dwell_days) == (0, 0, 7)  # a measure's unit is not points


def test_a_rule_may_be_for_some_accounts(tmp_path: Path) -> None:
    text = GOOD.replace("dwell_days: 7", "accounts: {segment: smb, owner: [Ann, Bo], arr: {from: 1000}}")
    accounts = load(tmp_path, text)[3].accounts
    assert accounts.texts == {"segment": ("smb",), "owner": ("Ann", "Bo")}
    assert accounts.arr is not None and (accounts.arr.from_, accounts.arr.to) == (1000, None)


MISTAKES = {
    "unknown key": (
        ("severity: critical", "severty: critical"),
        "6: rules[0].severty: unknown key; did you mean 'severity'? legal: rule, title, kind, ",
    ),
    "unknown kind": (
        ("kind: score_below", "kind: score_belw"),
        "4: rules[0].kind: 'score_belw' is not legal; did you mean 'score_below'? legal: score_below, score_fell, ",
    ),
    "kind that is a mapping": (("kind: score_below", "kind: {a: 1}"), "4: rules[0].kind: "),
    "unknown severity": (
        ("critical", "critcal"),
        "6: rules[0].severity: 'critcal' is not legal; did you mean 'critical'?",
    ),
    "unknown measure": (
        ("measure: days_past_due", "measure: day_past_due"),
        "15: rules[2].measure: 'day_past_due' is no measure; did you mean 'days_past_due'? legal: days_past_due, nps",
    ),
    "unknown lens": (
        ("line: 50", "line: 50\n    lens: overal"),
        "6: rules[0].lens: no scorecard has the lens 'overal'; did you mean 'overall'? legal: overall",
    ),
    "name that is taken": (("rule: late", "rule: fell"), "12: rules[2].rule: 'fell' is the name of a rule above"),
    "missing line": (("    line: 50\n", ""), "2: rules[0]: 'line' is missing; score_below needs line"),
    "missing days": (("    days: 30\n", ""), "7: rules[1]: 'days' is missing; score_fell needs points and days"),
    "key of another kind": (
        ("line: 50", "line: 50\n    points: 3"),
        "6: rules[0].points: does not go with score_below",
    ),
    "line that is no score": (
        ("line: 50", "line: 150"),
        "5: rules[0].line: is a score, more than 0 and at most 100; is 150",
    ),
    "line that never closes": (
        ("line: 50", "line: 98"),
        "5: rules[0].line: 98 would close at 103 (close_margin 5), which no score reaches",
    ),
    "fall that never closes": (
        ("points: 15", "points: 5"),
        "10: rules[1].points: 5 should be more than close_margin (5)",
    ),
    "no dwell": (("dwell_days: 7", "dwell_days: 0"), "21: rules[3].dwell_days: should be at least 1, is 0"),
    "margin of a band": (("dwell_days: 7", "close_margin: 7"), "21: rules[3].close_margin: does not go with band_is"),
    "change without a share": (
        ("kind: band_is\n    band: insufficient_data", "kind: revenue_disagrees\n    line: 10"),
        "20: rules[3].line: is a share of MRR, more than 0 and at most 1",
    ),
    "accounts by name": (("dwell_days: 7", "accounts: {name: Acme}"), "21: rules[3].accounts.name: "),
    "duplicate key": (("title: Late", "rule: later"), "13: rules[2].rule: stands here twice (first on line 12)"),
    "not a list": ((GOOD[7:], "  red: {line: 50}\n"), "1: rules: should be a list, is a mapping"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path: Path, name: str) -> None:
    change, sentence = MISTAKES[name]
    assert change[0] in GOOD
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, GOOD.replace(*change, 1))
    found = [problem.removeprefix(f"{tmp_path}/alerts.yml:") for problem in refused.value.problems]
    assert [problem for problem in found if problem.startswith(sentence)], found
