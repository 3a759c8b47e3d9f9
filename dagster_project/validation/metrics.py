"""How well scores tell losses from the rest: plain figures, and their intervals by bootstrap over accounts.

A low score says that a loss is likely. All figures take ties for what they are: cases of one score are all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Z_95 = 1.959963984540054
REPLICATES = 1_000
SEED = 7  # the same cases give the same intervals
_CELLS = 4_000_000  # of a block of replicates, so that memory does not grow with the cases


@dataclass(frozen=True)
class Cases:
    """Decisions with their scores: ascending by score, one entry each in every array; `account` are numbers from 0."""

    score: Reals
    is_loss: Reals
    account: NDArray[np.intp]
    arr: Reals

    @classmethod
    def of(cls, score: Reals, is_loss: Reals, account: NDArray[np.intp], arr: Reals) -> Cases:
        """Cases in any order."""
        order = np.argsort(score, kind="stable")
        return cls(score[order], is_loss[order], account[order], arr[order])

    @property
    def losses(self) -> int:
        """How many are losses."""
        return int(self.is_loss.sum())

    @property
    def starts(self) -> NDArray[np.intp]:
        """Where each score begins."""
        return np.flatnonzero(np.r_[True, np.diff(self.score) > 0])


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where there are no losses, or nothing else."""

    value: float
    low: float
    high: float


Figure = Callable[[Cases, Reals], Reals]


def roc_auc(cases: Cases, weights: Reals) -> Reals:
    """For each row of weights the chance that of a loss and another case the loss has the lower score; ties count half.

    `weights` is (replicates, cases).
    """
    losses, kept = _by_score(cases, weights)
    kept_above = kept.sum(axis=1, keepdims=True) - np.cumsum(kept, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Reals = (losses * (kept_above + kept / 2)).sum(axis=1) / (losses.sum(axis=1) * kept.sum(axis=1))
    return found


def average_precision(cases: Cases, weights: Reals) -> Reals:
    """For each row of weights the area under precision by recall, from the lowest score on, in steps."""
    losses, kept = _by_score(cases, weights)
    found, taken = np.cumsum(losses, axis=1), np.cumsum(losses + kept, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, found / taken, 0.0)
        area: Reals = (losses * precision).sum(axis=1) / losses.sum(axis=1)
    return area


def share_captured(cases: Cases, worst: float, of: Reals) -> float:
    """The share of `of` that lies in the `worst` share of the cases; of the last score a fitting part."""
    starts = cases.starts
    sizes = np.diff(np.r_[starts, len(cases.score)])
    before = np.r_[0, np.cumsum(sizes)[:-1]]
    taken = np.clip((worst * len(cases.score) - before) / sizes, 0, 1)
    total = float(of.sum())
    return float((taken * np.add.reduceat(of, starts)).sum()) / total if total > 0 else float("nan")


def wilson(hits: int, of: int) -> Estimate:
    """A share with Wilson's 95 % interval."""
    if of == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    share, z = hits / of, Z_95
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Estimate(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def estimate(figure: Figure, cases: Cases, replicates: int = REPLICATES) -> Estimate:
    """A figure with the interval that drawing accounts with replacement gives: percentiles 2.5 and 97.5."""
    (value,) = figure(cases, np.ones((1, len(cases.score))))
    drawn = np.concatenate([figure(cases, weights) for weights in _drawn(cases, replicates)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _drawn(cases: Cases, replicates: int) -> Iterator[Reals]:
    """How often each case counts, for blocks of replicates: an account is drawn with all its cases."""
    generator = np.random.default_rng(SEED)
    accounts = int(cases.account.max()) + 1
    block = max(1, _CELLS // max(accounts, len(cases.score)))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = generator.integers(accounts, size=(rows, accounts))
        counts = np.zeros((rows, accounts))
        for row in range(rows):
            counts[row] = np.bincount(drawn[row], minlength=accounts)
        yield counts[:, cases.account]


def _by_score(cases: Cases, weights: Reals) -> tuple[Reals, Reals]:
    """Weights of losses and of the rest, summed by score: (replicates, scores) each."""
    starts = cases.starts
    losses = np.add.reduceat(weights * cases.is_loss, starts, axis=1)
    return losses, np.add.reduceat(weights, starts, axis=1) - losses
