"""The sentence that each mistake in a scorecard gets, and each disagreement between scorecards."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.scorecards.alerts import AlertRules
from dagster_project.scorecards.tables import config_tables
from dagster_project.settings import load_settings
from tests.unit.scorecard_texts import GOOD, OF_LENSES, load, problems

# --- mistakes in one file ---------------------------------------------------------------------------------------------

MISTAKES = {
    "unknown key": (
        ("coverage_floor", "coverage_flor"),
        "a.yml:5: coverage_flor: unknown key; did you mean 'coverage_floor'? legal: scorecard, title, ",
    ),
    "unknown key of a measure": (
        ("max_age_days", "max_age_day"),
        "a.yml:12: groups.usage.measures.usage_vs_baseline.max_age_day: unknown key; did you mean 'max_age_days'? "
        "legal: weight, max_age_days, normalise, target, shrink_to_peers, curve, steps, half_life, "
        "by_account_age, warn_age_days",
    ),
    "unknown measure": (
        ("csat:", "csta:"),
        "a.yml:18: groups.sentiment.measures.csta: unknown measure; did you mean 'csat'? legal: csat, nps, ",
    ),
    "weight of zero": (
        ("weight: 40", "weight: 0"),
        "a.yml:10: groups.usage.weight: should be more than 0 and less than a billion, is 0",
    ),
    "weight below zero": (
        ("weight: 2", "weight: -2"),
        "a.yml:18: groups.sentiment.measures.csat.weight: should be more than 0 and less than a billion, is -2",
    ),
    "weight that is rounded away": (
        ("weight: 40", "weight: 0.0000001"),
        "a.yml:10: groups.usage.weight: should be more",
    ),
    "weight without end": (("weight: 40", "weight: .inf"), "a.yml:10: groups.usage.weight: should be a finite number"),
    "weight in quotes": (
        ("weight: 40", 'weight: "40"'),
        "a.yml:10: groups.usage.weight: should be a finite number, is '40'",
    ),
    "weight in words": (
        ("weight: 40", "weight: much"),
        "a.yml:10: groups.usage.weight: should be a finite number, is 'much'",
    ),
    "version that is a number": (('"1"', "2026.10"), "a.yml:3: version: should be text, is 2026.1; put it in quotes"),
    "date that does not parse": (
        ("title: Standard", "title: Standard\neffective_from: 2026-02-31"),
        "a.yml:3: effective_from: 2026-02-31 is not a day of the calendar",
    ),
    "overlapping bands": (
        ("{red: 0, yellow: 50, green: 75}", "{red: {from: 0, to: 50}, yellow: {from: 40, to: 75}, green: {from: 75}}"),
        "a.yml:6: bands: bands overlap: yellow 40-75 and red 0-50",
    ),
    "gap in bands": (
        ("{red: 0, yellow: 50, green: 75}", "{red: {from: 0, to: 50}, yellow: {from: 55, to: 75}, green: {from: 75}}"),
        "a.yml:6: bands: bands leave a gap: nothing covers 50 to 55, between red 0-50 and yellow 55-75",
    ),
    "gap below the bands": (
        ("red: 0", "red: 10"),
        "a.yml:6: bands: bands leave a gap: nothing covers 0 to 10, below red 10-50",
    ),
    "gap above the bands": (
        ("{red: 0, yellow: 50, green: 75}", "{red: {from: 0}, yellow: {from: 50}, green: {from: 75, to: 90}}"),
        "a.yml:6: bands: bands leave a gap: nothing covers 90 to 100, above green 75-90",
    ),
    "bands in the wrong order": (
        ("yellow: 50, green: 75", "yellow: 80, green: 75"),
        "a.yml:6: bands: should ascend from red over yellow to green (a higher score is healthier); red begins at 0, "
        "green begins at 75, yellow begins at 80",
    ),
    "two bands at one place": (("yellow: 50", "yellow: 75"), "a.yml:6: bands: yellow 75-75 is empty"),
    "missing band": (("yellow: 50, ", ""), "a.yml:6: bands: yellow missing; write all three"),
    "unknown band": (("yellow: 50", "amber: 50"), "a.yml:6: bands.amber: unknown band; legal: red, yellow, green"),
    "unordered curve": (
        ("{0: 0, 100: 100}", "{0: 0, 60: 50, 40: 100}"),
        "a.yml:18: groups.sentiment.measures.csat.curve.40: points should ascend; 40 comes after 60",
    ),
    "curve with a point twice": (
        ("{0: 0, 100: 100}", "{0: 0, 0.0: 50, 40: 100}"),
        "a.yml:18: groups.sentiment.measures.csat.curve.0.0: points should ascend; 0.0 comes after 0",
    ),
    "curve of one point": (
        ("{0: 0, 100: 100}", "{0: 0}"),
        "a.yml:18: groups.sentiment.measures.csat.curve: needs at least two points",
    ),
    "score above 100": (
        ("{0: 0, 100: 100}", "{0: 0, 100: 110}"),
        "a.yml:18: groups.sentiment.measures.csat.curve.100: a score lies within 0 and 100; is 110",
    ),
    "unordered steps": (
        ("up_to: 7", "up_to: -1"),
        "a.yml:21: groups.sentiment.measures.days_past_due.steps[1]: steps should ascend; up_to -1 comes after 0",
    ),
    "steps without a last": (
        (", {score: 0}]", "]"),
        "a.yml:21: groups.sentiment.measures.days_past_due.steps: should be written in one of two ways",
    ),
    "no way to a score": (
        (", curve: {0: 0, 100: 100}", ""),
        "a.yml:18: groups.sentiment.measures.csat: needs exactly one of curve, steps, half_life and "
        "by_account_age, to turn its value into a score; has none",
    ),
    "two ways to a score": (
        ("curve: {0: 0, 100: 100}", "curve: {0: 0, 100: 100}, half_life: 3"),
        "a.yml:18: groups.sentiment.measures.csat: needs exactly one of curve, steps, half_life and "
        "by_account_age, to turn its value into a score; has curve and half_life",
    ),
    "condition on nothing": (
        ("{measure: days_past_due, above: 60}", "{above: 60}"),
        "a.yml:23: exceptions[0].when: needs either `measure` or, in a scorecard made of lenses, `lens`",
    ),
    "condition on a lens that is no part": (
        ("{measure: days_past_due, above: 60}", "{lens: product, above: 60}"),
        "a.yml:23: exceptions[0].when.lens: 'product' is no part of this scorecard; add it to `lenses`",
    ),
    "groups and lenses": (
        ("coverage_floor: 0.7", "coverage_floor: 0.7\nlenses: {product: 1}"),
        "a.yml:1: needs either groups of measures or lenses, to weigh what makes the score; has both",
    ),
    "a lens of weight 0": (
        ("coverage_floor: 0.7", "coverage_floor: 0.7\nlenses: {product: 0}"),
        "a.yml:6: lenses.product.weight: should be more than 0 and less than a billion, is 0",
    ),
    "made of itself": (
        ("coverage_floor: 0.7", "coverage_floor: 0.7\nlenses: {overall: 1}"),
        "a.yml:6: lenses.overall: is the lens of this scorecard; a score cannot rest on itself",
    ),
    "unordered ages": (
        ("curve: {0: 0, 100: 100}", "by_account_age: {90: {half_life: 3}, 30: {half_life: 2}}"),
        "a.yml:18: groups.sentiment.measures.csat.by_account_age.30: ages should ascend; 30 comes after 90",
    ),
    "an age of half a day": (
        ("curve: {0: 0, 100: 100}", "by_account_age: {0.5: {half_life: 3}}"),
        "a.yml:18: groups.sentiment.measures.csat.by_account_age.0.5: should be a whole number of days since",
    ),
    "an age without a rule": (
        ("curve: {0: 0, 100: 100}", "by_account_age: {90: {}}"),
        "a.yml:18: groups.sentiment.measures.csat.by_account_age.90: needs exactly one of curve, steps and half_life, ",
    ),
    "no age at all": (
        ("curve: {0: 0, 100: 100}", "by_account_age: {}"),
        "a.yml:18: groups.sentiment.measures.csat.by_account_age: needs at least one age in days",
    ),
    "a warning too late": (
        ("curve: {0: 0, 100: 100}", "curve: {0: 0, 100: 100}, max_age_days: 30, warn_age_days: 30"),
        "a.yml:18: groups.sentiment.measures.csat.warn_age_days: warns before a measure is too old: needs a max_age",
    ),
    "grace of no day": (
        ("coverage_floor: 0.7", "coverage_floor: 0.7\ngrace_days: 0"),
        "a.yml:6: grace_days: should be at least 1, is 0",
    ),
    "measure in two groups": (
        ("csat:", "usage_vs_baseline:"),
        "a.yml:18: groups.sentiment.measures.usage_vs_baseline: is in the group usage too; a measure counts once",
    ),
    "duplicate key": (
        ("title: Usage", "weight: 3"),
        "a.yml:10: groups.usage.weight: stands here twice (first on line 9)",
    ),
    "unknown roll-up": (
        ("roll_up: lowest", "roll_up: lowes"),
        "a.yml:16: groups.sentiment.roll_up: 'lowes' is not legal; did you mean 'lowest'? legal: mean, lowest, highest",
    ),
    "applies to nobody we know": (
        ("applies_to: default", "applies_to: all"),
        "a.yml:4: applies_to: should be `default`, or",
    ),
    "age that holds nobody": (
        ("applies_to: default", "applies_to: {account_age_days: {from: 90, to: 90}}"),
        "a.yml:4: applies_to.account_age_days: from 90 to 90 holds no account",
    ),
    "coverage in percent": (
        ("coverage_floor: 0.7", "coverage_floor: 70"),
        "a.yml:5: coverage_floor: should be at most 1, is 70",
    ),
    "exception on an unknown measure": (
        ("{measure: days_past_due", "{measure: day_past_due"),
        "a.yml:23: exceptions[0].when.measure: 'day_past_due' is no measure; did you mean 'days_past_due'?",
    ),
    "exception on a measure that is not scored": (
        ("{measure: days_past_due", "{measure: nps"),
        "a.yml:23: exceptions[0].when.measure: 'nps' is in no group of this scorecard",
    ),
    "exception without a bound": ((", above: 60", ""), "a.yml:23: exceptions[0].when: needs one of above and at_least"),
    "exception that can never hold": (
        ("above: 60", "above: 60, below: 50"),
        "a.yml:23: exceptions[0].when: above 60 and below 50 can never both hold",
    ),
    "cap and floor": (("cap: 49", "cap: 49\n    floor: 50"), "a.yml:23: exceptions[0]: needs exactly one of cap"),
    "target without its normalisation": (
        ("weight: 2", "weight: 2, target: 5"),
        "a.yml:18: groups.sentiment.measures.csat: `normalise: target` and `target: NUMBER` go together",
    ),
    "normalisation to no target": (
        ("weight: 2", "weight: 2, normalise: target"),
        "a.yml:18: groups.sentiment.measures.csat: `normalise: target` and `target: NUMBER` go together",
    ),
    "unknown normalisation": (
        ("weight: 2", "weight: 2, normalise: percentile"),
        "a.yml:18: groups.sentiment.measures.csat.normalise: 'percentile' is not legal; did you mean",
    ),
    "cap and band": (("cap: 49", "cap: 49\n    band: red"), "a.yml:23: exceptions[0]: needs exactly one of cap"),
    "unknown peer group": (
        ("coverage_floor:", "peer_group: team\ncoverage_floor:"),
        "a.yml:5: peer_group: 'team' is not legal",
    ),
    "unknown roll-up of parents": (
        ("coverage_floor:", "parents: {roll_up: lowest}\ncoverage_floor:"),
        "a.yml:5: parents.roll_up: 'lowest' is not legal; legal: arr_weighted_mean, mean, worst",
    ),
    "own row neither true nor false": (
        ("coverage_floor:", "parents: {counts_own: 1}\ncoverage_floor:"),
        "a.yml:5: parents.counts_own: should be true or false, is 1",
    ),
    "unknown key of parents": (
        ("coverage_floor:", "parents: {rollup: mean}\ncoverage_floor:"),
        "a.yml:5: parents.rollup: unknown key; did you mean 'roll_up'? legal: roll_up, counts_own",
    ),
    "parents in a word": (
        ("coverage_floor:", "parents: worst\ncoverage_floor:"),
        "a.yml:5: parents: should be a mapping of keys",
    ),
    "exception without a reason": (("    because: late\n", ""), "a.yml:23: exceptions[0].because: is missing"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path: Path, name: str) -> None:
    change, sentence = MISTAKES[name]
    assert change[0] in GOOD
    found = problems(tmp_path, GOOD.replace(*change, 1))
    assert [problem for problem in found if problem.startswith(sentence)], found


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("weight: 40", "weight: 0"), GOOD.replace("csat:", "csta:"))
    assert [problem.split(" ")[0] for problem in found] == ["a.yml:10:", "b.yml:18:"]


def test_a_score_can_be_made_of_lenses(tmp_path: Path) -> None:
    """Each stands in the tables as a measure in a group of its own."""
    product = GOOD.replace("scorecard: standard", "scorecard: product\nlens: product")
    loaded = load(tmp_path, GOOD, product, OF_LENSES)
    whole = next(one for one in loaded if one.spec.lenses)
    made = config_tables(load_settings(environ={}), [whole], AlertRules())
    assert [tuple(row.values())[1:4] for row in made["scorecard_groups"].to_pylist()] == [
        ("overall", "Overall", Decimal(3)), ("product", "Product", Decimal(1)),
    ]  # fmt: skip
    measures = made["scorecard_measures"].to_pylist()
    assert [(row["measure"], row["measure_group"], row["scored_lens"]) for row in measures] == [
        ("lens:overall", "overall", "overall"), ("lens:product", "product", "product"),
    ]  # fmt: skip


def test_lenses_must_exist_and_be_made_of_measures(tmp_path: Path) -> None:
    second = OF_LENSES.replace("whole", "second").replace("product: {weight: 1}", "whole: 1")
    assert problems(tmp_path, GOOD, OF_LENSES, second) == [
        "b.yml:8: lenses.product: no scorecard has this lens; legal: overall",
        f"c.yml:8: lenses.whole: is made of lenses itself (whole 1 in {tmp_path}/b.yml); name those instead",
    ]


def test_a_folder_without_scorecards_is_refused(tmp_path: Path) -> None:
    assert "holds no scorecard; put at least one .yml file there" in problems(tmp_path)[0]


# --- between files ----------------------------------------------------------------------------------------------------


def test_a_version_label_is_used_once(tmp_path: Path) -> None:
    candidate = GOOD.replace("title: Standard", "title: Standard\nstatus: candidate")
    found = problems(tmp_path, GOOD, candidate.replace("cap: 49", "cap: 40"))
    where = f"{tmp_path}/a.yml:3"
    assert found == [
        f"b.yml:4: version: standard 1 is also in {where}, with other content; give this one a new version label"
    ]
    assert problems(tmp_path, GOOD, candidate) == [
        f"b.yml:4: version: standard 1 stands in {where} already; keep one of the files"
    ]


def test_a_lens_has_exactly_one_default(tmp_path: Path) -> None:
    second = GOOD.replace("scorecard: standard", "scorecard: other")
    found = problems(tmp_path, GOOD, second)
    assert found[0].startswith(
        "b.yml:4: applies_to: the lens overall has a second default, other; the first is standard in"
    )
    (tmp_path / "b.yml").unlink()
    found = problems(tmp_path, GOOD.replace("applies_to: default", "applies_to: {plan: pro}"))
    assert found[0].startswith(
        "a.yml:4: applies_to: the lens overall has no active scorecard with `applies_to: default`"
    )
    found = problems(tmp_path, GOOD.replace("title: Standard", "title: Standard\nstatus: candidate"))
    assert found[0].startswith("a.yml:5: applies_to: the lens overall has no active scorecard")


def test_a_default_in_each_lens_and_a_candidate_beside_it_are_legal(tmp_path: Path) -> None:
    other_lens = GOOD.replace("scorecard: standard", "scorecard: other\nlens: example")
    candidate = GOOD.replace('version: "1"', 'version: "2"\nstatus: candidate')
    assert len(load(tmp_path, GOOD, other_lens, candidate)) == 3


def test_the_first_days_need_a_default_too(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("title: Standard", "title: Standard\neffective_from: 2026-03-01"))
    assert found[0].startswith("a.yml:3: effective_from: before 2026-03-01 the lens overall has no default")


def test_two_versions_in_force_at_once_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, GOOD.replace('"1"', '"2"'))
    assert found[0].startswith("b.yml:3: version: standard 2 and standard 1")


def test_a_newer_version_ends_the_older_one(tmp_path: Path) -> None:
    newer = GOOD.replace('version: "1"', 'version: "2"\neffective_from: 2026-03-01')
    loaded = load(tmp_path, GOOD, newer)
    assert [(one.spec.version, str(one.effective_to)) for one in loaded] == [("2", "None"), ("1", "2026-03-01")]


def test_conditions_are_tried_in_order_and_the_default_last(tmp_path: Path) -> None:
    default = GOOD.replace("title: Standard", "title: Standard\norder: 1")
    late = GOOD.replace("scorecard: standard", "scorecard: late").replace("default", "{plan: pro}")
    early = late.replace("scorecard: late", "scorecard: early\norder: 5")
    loaded = load(tmp_path, default, late, early)
    assert [(one.position, one.spec.scorecard) for one in loaded] == [(1, "early"), (2, "late"), (3, "standard")]
