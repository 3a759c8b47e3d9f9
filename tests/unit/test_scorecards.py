"""The scorecard language: what it makes of a file, and the sentence that each mistake gets."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.scorecards.alerts import load_alerts
from dagster_project.scorecards.load import LoadedScorecard, load_scorecards
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.segments import curve_segments, half_life_segment, score_value, step_segments
from dagster_project.scorecards.tables import SCHEMAS, config_tables
from dagster_project.settings import PROJECT_ROOT, ConfigError, load_settings

MEASURES = ("csat", "nps", "tickets_per_100_seats_90d", "days_past_due", "usage_vs_baseline")

GOOD = """\
scorecard: standard
title: Standard
version: "1"
applies_to: default
coverage_floor: 0.7
bands: {red: 0, yellow: 50, green: 75}
groups:
  usage:
    title: Usage
    weight: 40
    measures:
      usage_vs_baseline: {weight: 1, max_age_days: 60, curve: {0: 0, 0.85: 100}}
  sentiment:
    title: Sentiment
    weight: 60
    roll_up: lowest
    measures:
      csat: {weight: 2, curve: {0: 0, 100: 100}}
      days_past_due:
        weight: 1
        steps: [{up_to: 0, score: 100}, {up_to: 7, score: 75}, {score: 0}]
exceptions:
  - when: {measure: days_past_due, above: 60}
    cap: 49
    because: late
"""


def load(folder: Path, *texts: str) -> tuple[LoadedScorecard, ...]:
    """Scorecards from texts, in files a.yml, b.yml, ..."""
    for name, text in zip("abcdefgh", texts, strict=False):
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return load_scorecards(folder, MEASURES)


def problems(folder: Path, *texts: str) -> list[str]:
    """The problems, each as `file:line: rest`."""
    with pytest.raises(ConfigError) as refused:
        load(folder, *texts)
    return [problem.removeprefix(f"{folder}/") for problem in refused.value.problems]


# --- values to scores -------------------------------------------------------------------------------------------------


def shipped(measure: str, value: float) -> float:
    """The score that the shipped standard scorecard gives."""
    cards = load_scorecards(PROJECT_ROOT / "config" / "scorecards")
    standard = next(one for one in cards if one.spec.scorecard == "standard")
    score = score_value(standard.spec.measures[measure][1].segments, value)
    assert score is not None
    return score


def test_recency_halves_with_the_cadence_you_expect() -> None:
    """Check value of the method: 97 days at a half-life of 60 give 32.6."""
    assert score_value([half_life_segment(60)], 97) == pytest.approx(32.6, abs=0.05)
    assert score_value([half_life_segment(60)], 0) == 100
    assert score_value([half_life_segment(60)], -3) == 100
    assert score_value([half_life_segment(60)], 120) == pytest.approx(25)


@pytest.mark.parametrize(("now", "baseline", "score"), [(17, 20, 100), (10, 20, 58.8), (0, 20, 0), (30, 20, 100)])
def test_usage_against_its_baseline_has_full_marks_at_85_percent(now: int, baseline: int, score: float) -> None:
    assert shipped("usage_vs_baseline", now / baseline) == pytest.approx(score, abs=0.03)


@pytest.mark.parametrize(
    ("tickets", "score"),
    [(0, 60), (0.1, 100), (2, 100), (2.1, 75), (6, 75), (6.5, 45), (12, 45), (12.1, 20), (500, 20)],
)
def test_tickets_are_u_shaped_because_silence_is_not_health(tickets: float, score: float) -> None:
    assert shipped("tickets_per_100_seats_90d", tickets) == score


@pytest.mark.parametrize(("days", "score"), [(0, 100), (1, 75), (7, 75), (8, 40), (30, 40), (31, 0)])
def test_days_past_due_step_down(days: int, score: float) -> None:
    assert shipped("days_past_due", days) == score


def test_ten_percent_less_revenue_is_red() -> None:
    assert shipped("mrr_change", -0.1) == pytest.approx(30)
    assert shipped("mrr_change", 0) == pytest.approx(75)
    assert shipped("nps", 0) == 50


def test_a_value_that_is_not_known_has_no_score() -> None:
    assert score_value(curve_segments({0: 0, 1: 100}), None) is None
    assert score_value(curve_segments({0: 0, 1: 100}), math.nan) is None


def test_steps_written_from_below_include_their_beginning(tmp_path: Path) -> None:
    text = GOOD.replace(
        "[{up_to: 0, score: 100}, {up_to: 7, score: 75}, {score: 0}]", "[{from: 0, score: 10}, {from: 50, score: 90}]"
    )
    segments = load(tmp_path, text)[0].spec.measures["days_past_due"][1].segments
    assert [score_value(segments, value) for value in (-5, 0, 49.9, 50, 51)] == [10, 10, 10, 90, 90]


finite = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
scores = st.floats(min_value=0, max_value=100)


@given(st.dictionaries(finite, scores, min_size=2, max_size=6), finite, st.booleans())
def test_segments_tile_the_line_and_stay_within_0_and_100(
    points: dict[float, float], value: float, curved: bool
) -> None:
    ordered = dict(sorted(points.items()))
    xs = list(ordered)
    segments = curve_segments(ordered) if curved else step_segments(xs[1:], list(ordered.values()))
    for probe in (value, *xs, *(math.nextafter(x, -math.inf) for x in xs)):
        holders = [
            piece
            for piece in segments
            if (piece.lower is None or probe >= piece.lower) and (piece.upper is None or probe < piece.upper)
        ]
        assert len(holders) == 1
        score = score_value(segments, probe)
        assert score is not None
        assert -1e-9 <= score <= 100 + 1e-9
    if curved:
        assert [score_value(segments, x) for x in xs] == pytest.approx(list(ordered.values()))


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


OF_LENSES = """\
scorecard: whole
title: Whole
version: "1"
lens: whole
applies_to: default
coverage_floor: 0.7
bands: {red: 0, yellow: 50, green: 75}
lenses: {overall: 3, product: {weight: 1}}
"""


def test_a_score_can_be_made_of_lenses(tmp_path: Path) -> None:
    """Each stands in the tables as a measure in a group of its own."""
    product = GOOD.replace("scorecard: standard", "scorecard: product\nlens: product")
    loaded = load(tmp_path, GOOD, product, OF_LENSES)
    whole = next(one for one in loaded if one.spec.lenses)
    made = config_tables(load_settings(environ={}), [whole], ())
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


# --- hash and tables --------------------------------------------------------------------------------------------------


def test_the_hash_follows_the_content_not_the_text(tmp_path: Path) -> None:
    base = load(tmp_path, GOOD)[0].hash
    assert len(base) == 12
    for same in (("weight: 40", "weight: 40.0   # comment"), ("title: Standard", "title: Standard\norder: 7")):
        assert load(tmp_path, GOOD.replace(*same))[0].hash == base
    changes = (("cap: 49", "cap: 48"), ("weight: 40", "weight: 41"), ("0.85: 100", "0.86: 100"), ("above", "at_least"))
    hashes = {load(tmp_path, GOOD.replace(*change))[0].hash for change in changes}
    assert len(hashes | {base}) == 5


def tables(folder: Path, *texts: str) -> dict[str, pa.Table]:
    settings = load_settings(PROJECT_ROOT / "config" / "pipeline.yml", {})
    return config_tables(settings, load(folder, *texts), load_alerts(PROJECT_ROOT / "config" / "alerts.yml"))


def test_every_table_has_its_types_even_when_empty(tmp_path: Path) -> None:
    made = tables(tmp_path, GOOD[: GOOD.index("exceptions:")])
    assert list(made) == list(SCHEMAS)
    assert made["scorecard_exceptions"].num_rows == made["scorecard_conditions"].num_rows == 0
    for name, columns in SCHEMAS.items():
        assert dict(zip(made[name].schema.names, made[name].schema.types, strict=True)) == columns


def test_key_features_begin_at_bit_0_and_alert_rules_carry_their_defaults(tmp_path: Path) -> None:
    made = tables(tmp_path, GOOD)
    bits = {(row["plan"], row["feature"]): row["position"] for row in made["key_features"].to_pylist()}
    assert bits["default", "dashboards"] == bits["enterprise", "dashboards"] == 0
    assert sorted(set(bits.values())) == list(range(8))
    rules = {row["rule"]: (row["position"], row["close_margin"]) for row in made["alert_rules"].to_pylist()}
    assert rules == {"red_score": (1, 5.0), "score_fell": (2, 5.0), "payment_late": (3, 0.0)}


def test_tables_hold_the_scorecard(tmp_path: Path) -> None:
    pro = GOOD.replace("scorecard: standard", "scorecard: pro").replace(
        "applies_to: default", "applies_to: {plan: [pro, max], account_age_days: {from: 90}}"
    )
    made = tables(tmp_path, GOOD, pro)
    one = made["scorecards"].to_pylist()[0]
    assert (one["scorecard_id"], one["position"], one["is_default"], one["coverage_floor"]) == ("pro", 1, False, 0.7)
    conditions = [tuple(row.values())[1:] for row in made["scorecard_conditions"].to_pylist()]
    assert conditions == [
        (1, "plan", "pro", None, None), (1, "plan", "max", None, None), (2, "account_age_days", None, 90.0, None),
    ]  # fmt: skip
    groups = [tuple(row.values())[1:] for row in made["scorecard_groups"].to_pylist()][:2]
    assert groups == [("usage", "Usage", Decimal(40), "mean", 1), ("sentiment", "Sentiment", Decimal(60), "lowest", 2)]
    measures = [tuple(row.values())[1:] for row in made["scorecard_measures"].to_pylist()][:3]
    assert measures == [
        ("usage_vs_baseline", "usage", Decimal(1), 60, None, None, None, 1, None, None, None),
        ("csat", "sentiment", Decimal(2), None, None, None, None, 2, None, None, None),
        ("days_past_due", "sentiment", Decimal(1), None, None, None, None, 3, None, None, None),
    ]  # fmt: skip
    bands = [tuple(row.values())[1:] for row in made["scorecard_bands"].to_pylist()][:3]
    assert bands == [("red", 0.0, 50.0, 1), ("yellow", 50.0, 75.0, 2), ("green", 75.0, 100.0, 3)]
    exception = made["scorecard_exceptions"].to_pylist()[0]
    assert exception["value_from"] == math.nextafter(60, math.inf)
    assert (exception["value_to"], exception["kind"], exception["limit_score"]) == (None, "cap", 49.0)


@pytest.mark.parametrize(
    ("band", "limits"),
    [
        ("red", {("floor", 0), ("cap", 49.99)}),
        ("yellow", {("floor", 50), ("cap", 74.99)}),
        ("green", {("floor", 75), ("cap", 100)}),
    ],
)
def test_a_forced_band_is_a_floor_and_a_cap(tmp_path: Path, band: str, limits: set[tuple[str, float]]) -> None:
    rows = tables(tmp_path, GOOD.replace("cap: 49", f"band: {band}"))["scorecard_exceptions"].to_pylist()
    assert {(row["kind"], row["limit_score"]) for row in rows} == limits


def test_normalisation_and_peers_are_in_the_tables_and_in_the_hash(tmp_path: Path) -> None:
    changed = GOOD.replace("weight: 2", "weight: 2, normalise: target, target: 5, shrink_to_peers: 3").replace(
        "coverage_floor:", "peer_group: plan\ncoverage_floor:"
    )
    made = tables(tmp_path, changed)
    row = made["scorecard_measures"].to_pylist()[1]
    assert (row["normalise"], row["target"], row["shrink_to_peers"]) == ("target", 5.0, 3)
    assert made["scorecards"].to_pylist()[0]["peer_group"] == "plan"
    assert load(tmp_path, changed)[0].hash != load(tmp_path, GOOD)[0].hash


def test_parents_are_in_the_tables_and_only_what_is_not_default_in_the_hash(tmp_path: Path) -> None:
    base = load(tmp_path, GOOD)[0].hash
    written = {"{roll_up: worst}": ("worst", True), "{counts_own: false}": ("arr_weighted_mean", False)}
    for text, columns in written.items():
        changed = GOOD.replace("coverage_floor:", f"parents: {text}\ncoverage_floor:")
        row = tables(tmp_path, changed)["scorecards"].to_pylist()[0]
        assert (row["parent_roll_up"], row["counts_own"]) == columns
        assert row["scorecard_hash"] != base
    for same in ("{roll_up: arr_weighted_mean, counts_own: true}", "{}"):
        assert load(tmp_path, GOOD.replace("coverage_floor:", f"parents: {same}\ncoverage_floor:"))[0].hash == base


@pytest.mark.parametrize(
    ("bound", "inside", "outside"),
    [("above: 60", 60.5, 60), ("at_least: 60", 60, 59.9), ("below: 60", 59.9, 60), ("at_most: 60", 60, 60.1)],
)
def test_bounds_of_exceptions_are_strict_where_they_say_so(
    tmp_path: Path, bound: str, inside: float, outside: float
) -> None:
    when = load(tmp_path, GOOD.replace("above: 60", bound))[0].spec.exceptions[0].when

    def holds(value: float) -> bool:
        return (when.value_from is None or value >= when.value_from) and (
            when.value_to is None or value < when.value_to
        )

    assert holds(inside)
    assert not holds(outside)


def test_sql_scores_as_python_does(tmp_path: Path) -> None:
    """The join that the scoring models make, on the shipped scorecards, at every edge and beside it."""
    made = config_tables(
        load_settings(PROJECT_ROOT / "config" / "pipeline.yml", {}),
        cards := load_scorecards(PROJECT_ROOT / "config" / "scorecards"),
        load_alerts(PROJECT_ROOT / "config" / "alerts.yml"),
    )
    probes = []
    for card in cards:
        for name, (_, rule) in card.spec.measures.items():
            edges = {
                edge for piece in rule.segments for edge in (piece.lower, piece.upper, piece.x1) if edge is not None
            }
            for value in {v for e in edges for v in (e, math.nextafter(e, -1e9), e + 0.5, e * 0.3)}:
                probes.append((card.hash, name, value, score_value(rule.segments, value)))
    with duckdb.connect() as con:
        con.register("segments", made["score_segments"])
        con.execute("create table probes (hash varchar, measure varchar, value double, score double)")
        con.executemany("insert into probes values (?, ?, ?, ?)", probes)
        rows = con.execute("""
            select count(*), max(abs(p.score - case
                when s.half_life is not null then 100 * exp(-ln(2) * greatest(p.value, 0) / s.half_life)
                else s.y0 + (s.y1 - s.y0) * ((p.value - s.x0) / (s.x1 - s.x0)) end))
            from probes p join segments s on p.hash = s.scorecard_hash and p.measure = s.measure
              and (s.lower_value is null or p.value >= s.lower_value)
              and (s.upper_value is null or p.value < s.upper_value)
        """).fetchone()
    assert rows is not None
    assert rows[0] == len(probes)
    assert rows[1] < 1e-9


def test_the_shipped_example_is_half_three_tenths_and_a_fifth() -> None:
    cards = load_scorecards(PROJECT_ROOT / "config" / "scorecards")
    example = next(one.spec for one in cards if one.spec.lens == "example")
    assert {name: group.weight for name, group in example.groups.items()} == {
        "satisfaction": Decimal("0.5"), "usage": Decimal("0.3"), "retention": Decimal("0.2"),
    }  # fmt: skip
    assert list(example.groups["satisfaction"].measures) == ["csat", "nps"]


def test_the_shipped_scorecards_use_measures_that_exist() -> None:
    names = set(known_measures())
    for folder in ("config/scorecards", "examples/ravenstack/scorecards"):
        used = {name for one in load_scorecards(PROJECT_ROOT / folder, names) for name in one.spec.measures}
        assert len(used) >= 8
        assert used <= names


def test_measures_are_read_from_where_they_are_defined(tmp_path: Path) -> None:
    (tmp_path / "_m.yml").write_text(
        "models:\n  - name: m\n    columns:\n      - name: account_id\n      - name: logins\n        config:\n"
        "          meta: {measure: {title: Logins, domain: usage, unit: number, direction: up, needs: [usage_events],"
        " says: '{value} logins'}}\n"
    )
    found = known_measures(tmp_path)
    assert list(found) == ["logins"]
    assert (found["logins"].title, found["logins"].needs, found["logins"].says) == (
        "Logins",
        ("usage_events",),
        "{value} logins",
    )
    with pytest.raises(ConfigError, match="defines no measure"):
        known_measures(tmp_path / "nowhere")
