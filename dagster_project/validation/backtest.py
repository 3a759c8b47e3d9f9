"""Scores so long before customers decided, against what they decided.

`cases_of` takes rows of the mart fct_outcome_scores; what takes no part is counted by reason, never dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dagster_project.validation.metrics import (
    Cases,
    Estimate,
    average_precision,
    estimate,
    roc_auc,
    share_captured,
    wilson,
)

Row = Mapping[str, Any]
HORIZONS = (180, 120, 90, 60, 30)  # days before the decision
# The rows that `backtest` takes, asked of the published mart. ARR is what was won or lost, else the account's.
CASES = """
select account_id, kind, is_loss, days_before, score, band, left_out, coalesce(abs(amount), arr) as arr
from fct_outcome_scores order by decided_on, outcome_id, days_before
"""
MEASURES = """
select measures.measure, cases.is_loss, measures.measure_score
from fct_outcome_scores as cases
join fct_measure_scores as measures using (account_id, day, scorecard_hash)
where cases.days_before = $days and cases.left_out is null and measures.measure_score is not null
order by measures.measure, cases.outcome_id
"""
WORST = 0.10  # of the cases: whom a team can call
LEAST_CASES, FEW_LOSSES = 5, 100  # losses, and others, below which nothing is told; losses below which little is
NOTHING, SUSPICIOUS_AUC = 0.50, 0.90
BANDS = ("red", "yellow", "green")
_REASONS = {
    "had_left": "had left before",
    "too_new": "too new to have a score",
    "not_scored": "on days that are not scored",
    "insufficient_data": "with too little data",
}


@dataclass(frozen=True)
class Backtest:
    """The figures of one horizon. Shares are of 1.

    `by_band` is the share of losses by band with Wilson's interval, and the number of cases; `left_out` counts cases
    by reason; `stayed` are cases of accounts that nobody told of, and that were not lost in a month; `measures` are
    single measures with their AUC and cases, the best first.
    """

    days_before: int
    cases: int
    losses: int
    auc: Estimate
    precision: Estimate
    lift: float
    arr_captured: float
    by_band: dict[str, tuple[Estimate, int]]
    warned: int  # losses that were red or yellow
    kept_red: int  # others that were red
    left_out: dict[str, int]
    stayed: int
    measures: list[tuple[str, float, int]]

    @property
    def base_rate(self) -> float:
        """The share of losses among all cases."""
        return self.losses / self.cases if self.cases else float("nan")


def backtest(rows: Iterable[Row], measures: Iterable[Row], days_before: int) -> Backtest:
    """The figures of a horizon.

    `rows` are those of CASES; `measures` those of MEASURES, of the same horizon.
    """
    mine = [row for row in rows if row["days_before"] == days_before]
    judged = [row for row in mine if row["left_out"] is None]
    cases = cases_of(judged)
    losses = cases.losses
    captured = share_captured(cases, WORST, cases.is_loss) if judged else float("nan")
    bands = {band: [row["is_loss"] for row in judged if row["band"] == band] for band in BANDS}
    return Backtest(
        days_before,
        len(judged),
        losses,
        _estimated(roc_auc, cases),
        _estimated(average_precision, cases),
        captured / WORST,
        share_captured(cases, WORST, cases.arr * cases.is_loss) if judged else float("nan"),
        {band: (wilson(sum(found), len(found)), len(found)) for band, found in bands.items()},
        sum(row["is_loss"] and row["band"] in ("red", "yellow") for row in judged),
        sum(not row["is_loss"] and row["band"] == "red" for row in judged),
        dict(Counter(row["left_out"] for row in mine if row["left_out"] is not None)),
        sum(row["kind"] == "stayed" for row in judged),
        _single(measures, losses),
    )


def cases_of(rows: Sequence[Row]) -> Cases:
    """Rows with a score, as arrays."""
    numbers: dict[str, int] = {}
    return Cases.of(
        np.array([row["score"] for row in rows], dtype=np.float64),
        np.array([row["is_loss"] for row in rows], dtype=np.float64),
        np.array([numbers.setdefault(row["account_id"], len(numbers)) for row in rows], dtype=np.intp),
        np.array([float(row["arr"] or 0) for row in rows], dtype=np.float64),
    )


def _estimated(figure: Any, cases: Cases) -> Estimate:
    if min(cases.losses, len(cases.score) - cases.losses) < LEAST_CASES:
        return Estimate(float("nan"), float("nan"), float("nan"))
    return estimate(figure, cases)


def _single(measures: Iterable[Row], losses: int) -> list[tuple[str, float, int]]:
    """Each measure alone, where it is known for at least half of the losses; the best first."""
    found: dict[str, list[Row]] = {}
    for row in measures:
        found.setdefault(row["measure"], []).append(row)
    result = []
    for name, rows in found.items():
        cases = Cases.of(
            np.array([row["measure_score"] for row in rows], dtype=np.float64),
            np.array([row["is_loss"] for row in rows], dtype=np.float64),
            np.zeros(len(rows), dtype=np.intp),
            np.zeros(len(rows)),
        )
        if cases.losses * 2 >= max(losses, 1) and cases.losses < len(rows):
            (auc,) = roc_auc(cases, np.ones((1, len(rows))))
            result.append((name, float(auc), len(rows)))
    return sorted(result, key=lambda one: (-one[1], one[0]))


def words_of(found: Backtest) -> list[str]:
    """What the figures say, and what they cannot: sentences for people who have to decide on them."""
    told = [
        f"{found.days_before} days before: {found.cases} cases, {found.losses} of them losses "
        f"({found.base_rate:.1%}, the base rate)."
        if found.cases
        else f"{found.days_before} days before: no case has a score."
    ]
    if found.stayed:
        told.append(
            "The sources tell losses alone: an account at the end of a month in which it was not lost has stayed."
        )
    if found.left_out:
        reasons = (f"{count} {_REASONS[reason]}" for reason, count in sorted(found.left_out.items()))
        told.append(f"Left out: {', '.join(reasons)}.")
    if min(found.losses, found.cases - found.losses) < LEAST_CASES:
        return [*told, f"With fewer than {LEAST_CASES} losses, or {LEAST_CASES} others, nothing can be said."]
    kept, auc = found.cases - found.losses, found.auc
    told.append(
        f"Of {found.losses} losses, {found.warned} had been red or yellow {found.days_before} days before; "
        f"{found.kept_red / kept:.0%} of those who stayed were red."
    )
    told.append(
        f"Of a customer lost and one who stayed, the one lost had the lower score {auc.value:.0%} of the time "
        f"(AUC {auc.value:.2f}, 95 % interval {auc.low:.2f} to {auc.high:.2f}; a coin gives 0.50)."
    )
    return told + doubts_of(found) + list(_cautions(found))


def doubts_of(found: Backtest) -> list[str]:
    """What speaks against the score: it tells nothing, or the wrong thing, or more than it can know."""
    auc = found.auc
    if auc.low <= NOTHING <= auc.high:
        return ["No evidence that the score tells losses from the rest: the interval contains 0.50."]
    if auc.high < NOTHING:
        return ["The score points the wrong way: those who stayed had the lower scores."]
    if auc.value > SUSPICIOUS_AUC:
        return [
            f"An AUC above {SUSPICIOUS_AUC:.2f} is too good to be believed at once: does a measure rest on what was "
            "only known after the decision? Look at known_at of the sources."
        ]
    return []


def _cautions(found: Backtest) -> Iterable[str]:
    auc = found.auc
    if found.measures and found.measures[0][1] > auc.value:
        name, alone, cases = found.measures[0]
        yield (f"{name} alone does better ({alone:.2f} on {cases} cases; chosen with hindsight, so a little too good).")
    if found.losses < FEW_LOSSES:
        yield (
            f"{found.losses} losses are few (below {FEW_LOSSES}): do not compare segments, and keep the weights that "
            "people chose."
        )
