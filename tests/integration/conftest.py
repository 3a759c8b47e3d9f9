"""The whole pipeline on temporary companies, as a user runs it.

A run costs half a minute whatever its size, so the stories (stories.py) run two at a time in the background, and only
those that the selected tests look at; a test waits for its story and then reads what that left.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration import killings as _killings  # noqa: F401  it adds a story
from tests.integration import stories
from tests.integration.homes import end_all


class Stories:
    """The stories under way."""

    def __init__(self, folder: Path, names: set[str]) -> None:
        self._pool = ThreadPoolExecutor(stories.AT_ONCE)
        self._futures: dict[str, Future[Any]] = {}
        self.sample = stories.make_sample(folder / "sample")
        for name in stories.in_order(names):
            self._futures[name] = self._pool.submit(stories.STORIES[name].tell, folder / name, self.sample, self.end)

    def end(self, name: str) -> Any:
        """What the story left; waits for its end, and raises what broke it."""
        return self._futures[name].result()

    def close(self) -> None:
        """End what still runs."""
        for future in self._futures.values():
            future.cancel()
        end_all()
        self._pool.shutdown()


@pytest.fixture(scope="session")
def all_stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stories]:
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    told = Stories(tmp_path_factory.mktemp("integration"), wanted & stories.STORIES.keys())
    try:
        yield told
    finally:
        told.close()


@pytest.fixture(scope="session")
def sample(all_stories: Stories) -> stories.Sample:
    return all_stories.sample


def _fixture_of(name: str) -> Any:
    @pytest.fixture(scope="session", name=name)
    def story(all_stories: Stories) -> Any:
        return all_stories.end(name)

    return story


globals().update({name: _fixture_of(name) for name in stories.STORIES})
