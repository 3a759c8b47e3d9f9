"""The figures of a backtest against their definitions, case by case; and the sentences that people read."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from dagster_project.validation.backtest import backtest, words_of
from dagster_project.validation.metrics import Cases, average_precision, estimate, roc_auc, share_captured, wilson


def cases(scores: list[float], losses: list[int], accounts: list[int] | None = None) -> Cases:
    numbers = np.array(accounts or range(len(scores)), dtype=np.intp)
    return Cases.of(np.array(scores, float), np.array(losses, float), numbers, np.ones(len(scores)))


def alone(figure: Any, of: Cases) -> float:
    return float(figure(of, np.ones((1, len(of.score))))[0])


def drawn(seed: int) -> tuple[list[float], list[int]]:
    """Forty cases with many ties."""
    generator = random.Random(seed)
    losses = [int(generator.random() < 0.3) for _ in range(38)] + [0, 1]
    return [float(generator.randint(0, 12) - 3 * loss) for loss in losses], losses


@pytest.mark.parametrize("seed", range(20))
def test_auc_is_the_share_of_pairs_in_which_the_loss_scores_lower(seed: int) -> None:
    scores, losses = drawn(seed)
    lost = [score for score, loss in zip(scores, losses, strict=True) if loss]
    kept = [score for score, loss in zip(scores, losses, strict=True) if not loss]
    pairs = [1.0 if one < other else 0.5 if one == other else 0.0 for one, other in itertools.product(lost, kept)]
    assert alone(roc_auc, cases(scores, losses)) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_adds_up_precision_at_each_score_by_what_it_finds(seed: int) -> None:
    scores, losses = drawn(seed)
    total, area, before = sum(losses), 0.0, 0
    for line in sorted(set(scores)):
        taken = [loss for score, loss in zip(scores, losses, strict=True) if score <= line]
        area += (sum(taken) - before) / total * sum(taken) / len(taken)
        before = sum(taken)
    assert alone(average_precision, cases(scores, losses)) == pytest.approx(area, abs=1e-12)


def test_a_case_that_counts_twice_is_a_case_that_stands_there_twice() -> None:
    scores, losses = drawn(1)
    once = cases(scores, losses)
    weights = np.ones((1, len(scores)))
    weights[0, 3] = 2
    more = cases([*once.score, once.score[3]], [*once.is_loss.astype(int), int(once.is_loss[3])])
    for figure in (roc_auc, average_precision):
        assert float(figure(once, weights)[0]) == pytest.approx(alone(figure, more), abs=1e-12)


def test_of_the_last_score_a_fitting_part_is_captured() -> None:
    of = cases([1, 2, 2, 2, 9, 9, 9, 9, 9, 9], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert share_captured(of, 0.1, of.is_loss) == pytest.approx(0.5)
    assert share_captured(of, 0.2, of.is_loss) == pytest.approx((1 + 1 / 3) / 2)
    assert share_captured(of, 1.0, of.is_loss) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),  # by the closed formula, worked out by hand
    [(10, 50, 0.1124, 0.3304), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_wilson(hits: int, of: int, low: float, high: float) -> None:
    found = wilson(hits, of)
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (hits / of, low, high)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Losses score one standard deviation lower: the true AUC is the chance that a normal is below 1 / root 2."""
    generator, truth, held = np.random.default_rng(3), 0.7602499389065233, 0
    rounds = 400
    for _ in range(rounds):
        losses = (generator.random(200) < 0.3).astype(float)
        of = Cases.of(generator.normal(size=200) - losses, losses, np.arange(200), np.ones(200))
        found = estimate(roc_auc, of, replicates=300)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / rounds <= 0.97


def test_an_account_is_drawn_with_all_its_decisions() -> None:
    """A hundred decisions of few accounts tell less than of many."""
    scores, losses = drawn(5)
    of_many = estimate(roc_auc, cases(scores, losses))
    of_few = estimate(roc_auc, cases(scores * 5, losses * 5, list(range(40)) * 5))
    assert of_few.high - of_few.low == pytest.approx(of_many.high - of_many.low, abs=0.02)


def row(number: int, loss: bool, score: float | None, band: str, **more: Any) -> dict[str, Any]:
    return {"account_id": f"A{number}", "kind": "churn" if loss else "renewal", "is_loss": loss, "days_before": 60,
            "score": score, "band": band, "arr": 1000, "left_out": None, **more}  # fmt: skip


def test_what_is_told_of_a_score_that_works() -> None:
    rows = [
        *[row(number, True, 40, "red") for number in range(30)],
        *[row(number, True, 60, "yellow") for number in range(30, 40)],
        *[row(number, True, 90, "green") for number in range(40, 44)],
        *[row(number, False, 45, "red") for number in range(50, 56)],
        *[row(number, False, 95, "green") for number in range(60, 154)],
        row(200, True, None, "insufficient_data", left_out="insufficient_data"),
        row(201, True, None, "", left_out="had_left"),
        row(202, False, 1, "red", days_before=30),
    ]
    told = words_of(backtest(rows, [], 60))
    assert told[0] == "60 days before: 144 cases, 44 of them losses (30.6%, the base rate)."
    assert told[1] == "Left out: 1 had left before, 1 with too little data."
    assert told[2] == "Of 44 losses, 40 had been red or yellow 60 days before; 6% of those who stayed were red."
    assert "the one lost had the lower score 98% of the time (AUC 0.98, 95 % interval 0.96 to" in told[3]
    assert any("too good to be believed at once" in sentence for sentence in told)
    assert told[-1].startswith("44 losses are few (below 100)")


@pytest.mark.parametrize("seed", range(5))
def test_where_there_is_nothing_nothing_is_found(seed: int) -> None:
    generator = random.Random(seed)
    rows = [row(number, number % 3 == 0, generator.uniform(0, 100), "yellow") for number in range(300)]
    found = backtest(rows, [], 60)
    assert found.auc.low < 0.5 < found.auc.high
    assert any(sentence.startswith("No evidence") for sentence in words_of(found))


def test_a_single_measure_that_does_better_is_named() -> None:
    rows = [row(number, number % 2 == 0, number % 7, "red") for number in range(60)]
    single = [
        {"measure": "tickets", "is_loss": one["is_loss"], "measure_score": 10 - 9 * one["is_loss"]} for one in rows
    ]
    found = backtest(rows, single, 60)
    assert found.measures == [("tickets", 1.0, 60)]
    assert any(sentence.startswith("tickets alone does better (1.00 on 60 cases") for sentence in words_of(found))


def test_who_stayed_though_nobody_told_is_said() -> None:
    rows = [row(1, True, 10, "red"), row(2, False, 50, "green", kind="stayed")]
    assert words_of(backtest(rows, [], 60))[1].startswith(
        "The sources tell losses alone: an account at the end of a month"
    )


@pytest.mark.parametrize("losses", [0, 4, 6, 10])
def test_few_of_one_kind_say_nothing(losses: int) -> None:
    found = backtest([row(number, number < losses, number, "red") for number in range(10)], [], 60)
    assert np.isnan(found.auc.value)
    told = words_of(found)
    assert told[-1] == "With fewer than 5 losses, or 5 others, nothing can be said."
    assert words_of(backtest([], [], 60)) == [
        "60 days before: no case has a score.",
        "With fewer than 5 losses, or 5 others, nothing can be said.",
    ]
