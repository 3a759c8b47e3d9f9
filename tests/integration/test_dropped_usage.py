"""Raw usage that config no longer keeps, by `health run` as a user sees it: dropped, not missed, and read again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.integration.dropping import KEPT_DAYS, LAST, THEN, Dropped
from tests.integration.homes import differences

pytestmark = pytest.mark.long


def test_rows_older_than_config_keeps_go_with_the_run_that_no_longer_needs_them(dropped: Dropped) -> None:
    rows = dropped.all_kept[2]
    for name, newest, run in (("first", THEN, dropped.first), ("rest", LAST, dropped.rest)):
        left, oldest = dropped.raw[name]
        assert oldest == newest - timedelta(days=KEPT_DAYS)
        assert f"{rows - left} rows of raw usage dropped: known more than {KEPT_DAYS} days before {newest}" in run.out
        assert 0 < left < rows
        rows = left


def test_their_daily_facts_are_there_and_those_of_a_company_that_keeps_all(dropped: Dropped) -> None:
    """Also those of the days whose rows went before the days after were scored."""
    assert len(dropped.facts) > 500
    assert dropped.facts == dropped.all_kept[1]


def test_the_marts_are_row_by_row_those_of_a_company_that_keeps_all(dropped: Dropped) -> None:
    assert differences(dropped.marts, dropped.all_kept[0]) == []


def test_a_run_after_that_has_nothing_to_do(dropped: Dropped) -> None:
    """The files still hold what was dropped: that is no news."""
    assert "Nothing is due" in dropped.again.out
    assert dropped.files[0] == dropped.files[1]


def test_without_the_key_files_are_read_again_as_far_as_they_are_there(dropped: Dropped) -> None:
    rows, oldest = dropped.raw["without a file"]
    assert dropped.raw["rest"][0] < rows < dropped.all_kept[2]
    assert date(2025, 2, 1) <= oldest <= date(2025, 2, 2)
    assert f"Raw usage known before {oldest} was dropped and cannot be read again" in dropped.without_a_file.out


def test_a_file_that_is_back_is_read_again_and_the_marts_stay_what_they_are(dropped: Dropped) -> None:
    assert dropped.raw["with it"] == (dropped.all_kept[2], date(2025, 1, 1))
    assert dropped.facts_read_again == dropped.all_kept[1]
    assert differences(dropped.marts_read_again, dropped.all_kept[0]) == []
