"""Scores that rest on peers and on the own past are the same by whatever runs they came to be."""

from __future__ import annotations

import pytest

from tests.integration.compared import Compared
from tests.integration.homes import LAST, ask, differences

pytestmark = pytest.mark.long


def test_day_by_day_gives_the_marts_of_one_backfill_of_what_is_compared(compared: Compared) -> None:
    assert differences(compared.day_by_day, compared.at_once) == []


def test_days_in_the_middle_of_what_is_compared_change_nothing_once_more(compared: Compared) -> None:
    assert differences(compared.replayed, compared.at_once) == []
    assert "Scoring 2025-12-20 to 2025-12-21" in compared.replay.out


def test_each_way_to_normalise_has_scored_accounts_and_so_has_each_lens(compared: Compared) -> None:
    """Else the other tests would compare nothing."""
    scored = dict(
        ask(
            compared.at_once,
            "select measure, count(measure_score) from marts.fct_measure_scores "
            f"where day = date '{LAST}' group by measure",
        )
    )
    named = {
        "stickiness", "active_users_to_seats", "events_per_active_user_28d", "feature_breadth", "csat",
        "tickets_per_100_seats_90d", "days_past_due", "mrr_change", "lens:product", "lens:relationship",
        "lens:commercial",
    }  # fmt: skip
    assert set(scored) == named
    assert min(scored.values()) >= 10, scored
