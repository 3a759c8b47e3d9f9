"""What holds for every test: nothing dials out, the caller's own settings stay outside, CI draws the same examples.

The stories of the integration tests take longest. They begin at once, in the background, if a test looks at one; the
tests that wait for them come last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.update({"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DAGSTER_DISABLE_TELEMETRY": "yes"})
for name in [name for name in os.environ if name.startswith("HEALTH_") or name == "DAGSTER_HOME"]:
    if name not in ("HEALTH_KILLS", "HEALTH_SPARK"):
        del os.environ[name]

# No deadline: a slow machine is not a failing one. In CI the examples come from a fixed seed, so a red build can be
# repeated; on a developer's machine they differ each time, which is where new faults are found.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

ACCEPTANCE = Path(__file__).with_name("acceptance")
INTEGRATION = Path(__file__).with_name("integration")


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ACCEPTANCE in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
    items.sort(key=lambda item: INTEGRATION in item.path.parents)


@pytest.fixture(scope="session", autouse=True)
def all_stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.integration.telling import Telling

    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    told = Telling(wanted, lambda: tmp_path_factory.mktemp("integration"))
    try:
        yield told
    finally:
        told.close()
