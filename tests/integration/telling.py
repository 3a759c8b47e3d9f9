"""Tells the stories (stories.py): two at a time in the background, and only those that the selected tests look at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration import compared as _compared  # noqa: F401  it adds a story
from tests.integration import dropping as _dropping  # noqa: F401  so do these
from tests.integration import killings as _killings  # noqa: F401
from tests.integration import long_lives as _long_lives  # noqa: F401
from tests.integration import stories
from tests.integration import untested as _untested  # noqa: F401
from tests.integration.homes import end_all


class Telling:
    """The stories under way; none, and no sample made, if no test asks for any."""

    def __init__(self, fixtures: set[str], make_folder: Callable[[], Path]) -> None:
        names = fixtures & stories.STORIES.keys()
        self._pool = ThreadPoolExecutor(stories.AT_ONCE)
        self._futures: dict[str, Future[Any]] = {}
        if not names and "sample" not in fixtures:
            return
        folder = make_folder()
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
