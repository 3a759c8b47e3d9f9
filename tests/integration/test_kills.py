"""kill -9 while loading, while dbt builds, while the mart is published; then a plain run."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.integration.homes import differences
from tests.integration.killings import Killed, Moment, kill_at
from tests.integration.stories import Base, Sample, Through

MORE = int(os.environ.get("HEALTH_KILLS", "0"))  # so many kills more, each on a company of its own

pytestmark = pytest.mark.long


def test_after_the_kills_the_marts_are_those_of_an_undisturbed_run(killed: Killed, base: Base) -> None:
    assert [killing.moment.name for killing in killed.killings] == [
        "loading", "first models", "later models", "publishing"
    ]  # fmt: skip
    assert differences(killed.mart, base.mart) == []


def test_the_published_file_was_whole_and_readable_the_whole_time(killed: Killed) -> None:
    """A reader saw the mart from before or the one from after, each as a whole, and never an error."""
    assert killed.reader.faults == []
    assert killed.reader.reads > 100
    assert killed.reader.versions == [killed.before, killed.after]


def test_dbt_dies_with_the_run_that_started_it(killed: Killed) -> None:
    """Otherwise it would hold the warehouse against the next run, and build on what that one changes."""
    started = {killing.moment.name: killing.children for killing in killed.killings}
    assert started["first models"] > 0
    assert [killing.children_left for killing in killed.killings] == [[]] * len(started)


def test_the_next_run_does_not_wait_for_what_the_dead_held(killed: Killed) -> None:
    """Every run but the last two (loading and publishing of the run that came through) is marked as failed."""
    assert "blocked by limit" not in killed.last_log
    assert killed.claimed_slots == 0
    statuses = [status for _, status in killed.statuses]
    assert statuses.count("FAILURE") == len(killed.killings)
    assert set(statuses) == {"FAILURE", "SUCCESS"}


def test_what_was_scored_before_the_kill_is_published_after_it(killed: Killed) -> None:
    assert "Every day is scored, but not everything" in killed.last.out


if MORE:  # HEALTH_KILLS=n kills n runs more, at random moments; 90 s each

    @pytest.mark.parametrize("number", range(MORE))
    def test_one_more_kill(number: int, through_before: Through, base: Base, sample: Sample, tmp_path: Path) -> None:
        draw = random.Random(number)
        home = through_before.home.copy(tmp_path / "killed", sample.landing)
        kill_at(
            home, Moment("random", lambda run: "accounts:" in run.text, draw.uniform(0, 30), group=bool(number % 2))
        )
        home.run().succeeded()
        assert differences(home.mart, base.mart) == []
