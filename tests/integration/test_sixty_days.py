"""Sixty days, one after the other: neither the warehouse file nor the work of a day grows with the days before.

All of them are days on which raw usage is dropped. Sizes and rows are the same wherever it runs; seconds are not, and
are held to a wide margin only. By hand: sixty_days.py.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from tests.integration.long_lives import DAYS, KEPT, Day

pytestmark = pytest.mark.long


def _halves(days: list[Day], name: str) -> tuple[list[Any], list[Any]]:
    """Without two days: the first loads and works on the history, and the file of the second is a fresh copy."""
    values = [day[name] for day in days[2:]]
    return values[: len(values) // 2], values[len(values) // 2 :]


def test_each_day_drops_the_rows_of_one_day_and_keeps_those_of_the_days_in_config(sixty: list[Day]) -> None:
    assert len(sixty) == DAYS
    assert all(day["rows_dropped"] > 0 for day in sixty)
    assert {day["raw_days"] for day in sixty} == {KEPT["usage_events_days"] + 1}
    first, second = _halves(sixty, "raw_rows")
    assert max(second) <= 1.02 * max(first)


def test_the_file_is_no_larger_in_the_second_half(sixty: list[Day]) -> None:
    """But for daily facts and scores, which are kept for ever: 5 % here. Whether rows go at all is said above."""
    first, second = _halves(sixty, "size")
    assert max(second) <= 1.12 * max(first)


def test_what_tables_hold_grows_by_no_more_than_facts_and_scores(sixty: list[Day]) -> None:
    """Free blocks left out. DuckDB frees rows by the 122,880, three weeks here: so the largest of each half."""
    first, second = _halves(sixty, "held")
    assert max(second) <= 1.12 * max(first)


def test_the_file_is_never_much_larger_than_what_it_holds(sixty: list[Day]) -> None:
    assert any(day["compacted"] for day in sixty)
    assert all(day["size"] <= 2 * day["held"] for day in sixty)


def test_a_day_loads_and_writes_no_more_rows_in_the_second_half(sixty: list[Day]) -> None:
    """Rows that dbt wrote beyond those that came; what came is the customers' doing, and not the same each day."""
    beyond = [day | {"own": day["rows_written"] - day["rows_loaded"]} for day in sixty]
    first, second = _halves(beyond, "own")
    assert median(second) <= 1.1 * median(first)
    assert max(second) <= 1.2 * max(first)
    assert {day["fact_days"] for day in sixty[1:]} == {1}


def test_the_seconds_of_a_day_do_not_grow(sixty: list[Day]) -> None:
    """Processor seconds; on a machine that others use the medians of two halves were found to differ by 30 %."""
    first, second = _halves(sixty, "seconds")
    assert median(second) <= 2 * median(first)


def test_scores_and_facts_of_all_days_are_kept(sixty: list[Day]) -> None:
    for name in ("score_rows", "fact_rows"):
        values = [day[name] for day in sixty]
        assert all(later > earlier for earlier, later in pairwise(values))
