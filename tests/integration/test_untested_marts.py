"""Marts that fail a test are not published, by no way; what was published and is gone is made again."""

from __future__ import annotations

import pytest

from tests.integration.homes import differences
from tests.integration.stories import Base
from tests.integration.untested import Untested

pytestmark = pytest.mark.long


def test_the_run_names_the_test_that_failed(untested: Untested) -> None:
    assert untested.failed.code == 1
    assert "unique_together_fct_health_scores" in untested.failed.err
    assert "published mart is as it was" in untested.failed.err


def test_publishing_alone_is_refused_in_plain_words(untested: Untested) -> None:
    assert untested.publish_alone.code != 0
    assert "have not passed their tests" in untested.publish_alone.out + untested.publish_alone.err


def test_what_is_published_stays_as_it_was(untested: Untested, base: Base) -> None:
    assert differences(untested.mart_after_failure, base.mart) == []


def test_the_next_run_scores_the_days_of_the_failed_one_again(untested: Untested, base: Base) -> None:
    assert "Scoring 2025-12-31 to 2025-12-31" in untested.mended.out
    assert differences(untested.mart, base.mart) == []


def test_a_cleared_folder_is_filled_again_though_nothing_is_due(untested: Untested) -> None:
    assert "Every day is scored, but not everything of it is published" in untested.cleared.out
    assert "published/mart: done" in untested.cleared.out
    assert untested.delivered
    assert all(untested.delivered)
