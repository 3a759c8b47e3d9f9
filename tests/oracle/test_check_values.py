"""The oracle against figures worked out by hand: it must not be wrong in the same way as the SQL."""

from __future__ import annotations

import pytest

from tests.oracle import scoring

CURVE = {"weight": 1, "curve": {0: 0, 100: 100}}
WEIGHTS = {"usage": 40, "support": 20, "nps": 15, "billing": 25}
CARD: scoring.Card = {
    "coverage_floor": 0.7,
    "bands": {"red": 0, "yellow": 50, "green": 75},
    "groups": {name: {"title": name, "weight": weight, "measures": {name: CURVE}} for name, weight in WEIGHTS.items()},
}
DAY_0 = scoring.scored(CARD, {"usage": (80, 0), "support": (90, 0), "nps": (70, 0), "billing": (100, 0)}, [])
DAY_1 = scoring.scored(CARD, {"usage": (55, 0), "support": (90, 0), "nps": None, "billing": (40, 0)}, [])


@pytest.mark.parametrize(
    ("rule", "value", "score"),
    [
        ({"half_life": 60}, 97, 32.6),
        ({"curve": {0: 0, 0.85: 100}}, 17 / 20, 100),
        ({"curve": {0: 0, 0.85: 100}}, 10 / 20, 58.8),
        ({"curve": {0: 0, 0.85: 100}}, 0, 0),
        ({"steps": [{"up_to": 0, "score": 100}, {"up_to": 7, "score": 75}, {"score": 0}]}, 7, 75),
        ({"steps": [{"up_to": 0, "score": 100}, {"up_to": 7, "score": 75}, {"score": 0}]}, 7.5, 0),
    ],
)
def test_scores_of_values(rule: dict[str, object], value: float, score: float) -> None:
    assert scoring.score_of(rule, value, 400) == pytest.approx(score, abs=0.05)


def test_two_days_of_four_groups() -> None:
    assert (DAY_0.score, DAY_0.coverage, DAY_0.band) == (pytest.approx(85.5), 1, "green")
    assert DAY_1.score == pytest.approx(58.8235294, abs=1e-7)
    assert (DAY_1.low, DAY_1.high, DAY_1.coverage) == pytest.approx((50, 65, 0.85))
    assert DAY_1.band == "yellow"


def test_why_it_moved() -> None:
    """By hand: (0.25 + 0.2941) / 2 * -60, (0.4 + 0.4706) / 2 * -25, -0.15 * (70 - 72.16), and the weights."""
    split = scoring.change(DAY_0, DAY_1, DAY_1)
    by_hand = {
        ("value", "billing"): -16.3235, ("value", "usage"): -10.8824, ("disappeared", "nps"): 0.3243,
        ("weight", "support"): 0.6296, ("weight", "usage"): -0.3291, ("weight", "billing"): -0.0954,
    }  # fmt: skip
    assert split == {key: pytest.approx(points, abs=1e-4) for key, points in by_hand.items()}
    assert sum(points or 0 for points in split.values()) == pytest.approx(58.8235294 - 85.5, abs=1e-7)


def test_a_thin_sample_is_drawn_to_its_peers() -> None:
    """Two answers of 100 among peers of 65 are 75, with k = 5."""
    scores = {"thin": 100.0, "other": 30.0, "silent": None}
    found = scoring.shrunk({"shrink_to_peers": 5}, scores, {"thin": 2, "other": 1_000_000})
    assert found["thin"] == pytest.approx(75)
    assert found["other"] == pytest.approx(30, abs=0.001)
    assert found["silent"] is None


def test_against_its_own_past() -> None:
    """Half of what it was; a past of 27 days is none, and neither is one of nothing."""
    rule = {"normalise": "own_baseline"}
    assert scoring.normalised(rule, 5, [], [10.0] * 28) == 0.5
    assert scoring.normalised(rule, 5, [], [10.0] * 27) is None
    assert scoring.normalised(rule, 5, [], [0.0] * 57) is None
