"""The whole pipeline on temporary companies, as a user runs it.

A run costs half a minute whatever its size, so each story is told once (telling.py); a test waits for its story and
then reads what that left.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration import stories
from tests.integration.telling import Telling


@pytest.fixture(scope="session")
def sample(all_stories: Telling) -> stories.Sample:
    return all_stories.sample


def _fixture_of(name: str) -> Any:
    @pytest.fixture(scope="session", name=name)
    def story(all_stories: Telling) -> Any:
        return all_stories.end(name)

    return story


globals().update({name: _fixture_of(name) for name in stories.STORIES})
