"""From a measure's value to a score: pieces of a line, one row each, so that one join in SQL scores every measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Segment:
    """The score of values in [lower, upper); None is unbounded.

    Without a half-life: `y0 + (y1 - y0) * ((v - x0) / (x1 - x0))`. With one: `100 * exp(-ln(2) * v / half_life)`, where
    a negative v counts as 0. It scores accounts whose age in days lies in [age_from, age_to). Segments of one measure
    neither overlap nor leave a gap at any age.
    """

    lower: float | None
    upper: float | None
    x0: float
    x1: float
    y0: float
    y1: float
    half_life: float | None = None
    age_from: int | None = None
    age_to: int | None = None


def _flat(lower: float | None, upper: float | None, score: float) -> Segment:
    return Segment(lower, upper, 0.0, 1.0, score, score)


def above(value: float) -> float:
    """The next number after `value`: turns 'more than 60' into 'from the number after 60 on'."""
    return math.nextafter(value, math.inf)


def curve_segments(points: Mapping[float, float]) -> list[Segment]:
    """Straight lines between points in ascending order, flat before the first and after the last."""
    places = list(points.items())
    lines = [Segment(x0, x1, x0, x1, y0, y1) for (x0, y0), (x1, y1) in pairwise(places)]
    return [_flat(None, places[0][0], places[0][1]), *lines, _flat(places[-1][0], None, places[-1][1])]


def step_segments(starts: Iterable[float], scores: Sequence[float]) -> list[Segment]:
    """Flat pieces; piece n+1 begins at the n-th of `starts`, which are one fewer than `scores`."""
    edges: list[float | None] = [None, *starts, None]
    return [_flat(lower, upper, score) for lower, upper, score in zip(edges[:-1], edges[1:], scores, strict=True)]


def half_life_segment(half_life: float) -> Segment:
    """100 at 0, halved at every further `half_life`. x and y hold the first halving, for drawing."""
    return Segment(None, None, 0.0, half_life, 100.0, 50.0, half_life)


def score_value(segments: Iterable[Segment], value: float | None) -> float | None:
    """The score (0-100) of one value, as the SQL computes it; None where the value is not known."""
    if value is None or math.isnan(value):
        return None
    for piece in segments:
        if (piece.lower is None or value >= piece.lower) and (piece.upper is None or value < piece.upper):
            if piece.half_life is not None:
                return 100.0 * math.exp(-math.log(2.0) * max(value, 0.0) / piece.half_life)
            return piece.y0 + (piece.y1 - piece.y0) * ((value - piece.x0) / (piece.x1 - piece.x0))
    return None
