"""`health explain`: the arithmetic of a score, and of its change, as a person reads it."""

from __future__ import annotations

import re

from dagster_project.commands.explain import SPANS
from tests.integration.homes import ask
from tests.integration.stories import Base, Explained


def test_the_points_on_the_screen_are_those_of_the_mart(explained: Explained, base: Base) -> None:
    """And their sum is the difference between the two scores."""
    said = explained.month.succeeded().out
    points = [float(number) for number in re.findall(r" ([+-]\d+\.\d\d)$", said, re.MULTILINE)]
    assert len(points) > 3
    rows = ask(
        base.mart,
        f"select points, score_after - score_before from marts.fct_score_changes where account_id = "
        f"'{explained.account}' and lens = 'overall' and span_days = 30 and day = (select max(day) from "
        "marts.fct_health_scores) order by abs(points) desc, effect, measure",
    )
    assert points == [*(round(value, 2) + 0.0 for value, _ in rows), round(rows[0][1], 2)]


def test_another_span_has_its_own_split(explained: Explained) -> None:
    assert "What moved it since 2025-12-01" in explained.month.out
    assert re.search(r"What moved it since 2025-12-24|Against 7 days before: nothing moved", explained.week.out)


def test_a_span_that_is_not_split_is_refused(explained: Explained) -> None:
    assert explained.wrong.code == 2
    assert "5 is not legal; legal: 1, 7, 30" in explained.wrong.err


def test_the_spans_offered_are_those_of_the_mart(base: Base) -> None:
    spans = ask(base.mart, "select distinct span_days from marts.fct_score_changes order by 1")
    assert [days for (days,) in spans] == list(SPANS)
