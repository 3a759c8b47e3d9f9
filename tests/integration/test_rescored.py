"""`health whatif` on a company scored for months: what it says is what a run would give, and it leaves no trace."""

from __future__ import annotations

import re

import pytest

from tests.integration.homes import LAST, ask
from tests.integration.stories import Base, Imagined, Restated

pytestmark = pytest.mark.long


def test_other_weights_give_the_scores_of_a_run_with_them(imagined: Imagined, restated: Restated, base: Base) -> None:
    scores = (
        "select scores.account_id, scores.score from marts.fct_health_scores as scores "
        "join marts.dim_scorecards as cards using (scorecard_hash) "
        f"where scores.day = date '{LAST}' and cards.lens = 'overall' and cards.is_current order by 1"
    )
    by_run = dict(ask(restated.mart, scores))
    imagined_scores = dict(imagined.newest)
    assert imagined_scores.keys() == by_run.keys()
    assert len(by_run) > 40
    for account, score in by_run.items():
        assert imagined_scores[account] == (score if score is None else pytest.approx(score, abs=1e-9))
    now = dict(ask(base.mart, scores))
    assert sum(now[account] != imagined_scores[account] for account in now) > len(now) / 2


def test_other_weights_are_told_with_bands_owners_and_months(imagined: Imagined) -> None:
    told = imagined.reweighed.succeeded().out
    assert "standard: weight of usage 40 -> 80 (lens overall)" in told
    for part in ("Accounts and ARR on 2025-12-31", "By owner", "Accounts by score", "would move most", "2025-04"):
        assert part in told
    assert "Scoring 2025-04-15 to 2025-12-31 by the proposal" in told


def test_the_scorecard_in_use_changes_nothing_on_any_day(imagined: Imagined) -> None:
    assert "No score and no band would change on any of the" in imagined.same.succeeded().out


def test_a_mistake_in_the_file_is_refused_with_its_line(imagined: Imagined) -> None:
    assert imagined.mistaken.code == 2
    assert re.search(r"standard\.yml:\d+: coverage_floor: should be at most 1, is 7", imagined.mistaken.err)
    assert "Traceback" not in imagined.mistaken.err


def test_it_leaves_the_warehouse_and_everything_published_as_they_were(imagined: Imagined) -> None:
    before, after = imagined.hashes
    assert before == after
    assert imagined.files[0] == imagined.files[1]


def test_it_leaves_no_scratch_not_even_when_it_is_ended_in_the_middle(imagined: Imagined) -> None:
    assert imagined.killed.name.startswith("whatif-")
    assert imagined.left_over == []
