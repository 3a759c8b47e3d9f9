"""The scorecard language: what it makes of values and of files."""

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
from dagster_project.scorecards.load import load_scorecards
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.segments import curve_segments, half_life_segment, score_value, step_segments
from dagster_project.scorecards.tables import SCHEMAS, config_tables
from dagster_project.settings import PROJECT_ROOT, ConfigError, load_settings
from tests.unit.scorecard_texts import GOOD, load

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
