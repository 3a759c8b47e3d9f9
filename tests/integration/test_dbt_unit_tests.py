"""The unit tests beside the dbt models: arithmetic that the daily run need not prove again each day."""

from __future__ import annotations

import json
import re

from dagster_project.settings import PROJECT_ROOT
from tests.integration.stories import UnitTests


def test_all_of_them_pass(unit_tests: UnitTests) -> None:
    manifest = json.loads((PROJECT_ROOT / "dbt_project" / "target" / "manifest.json").read_text())
    assert unit_tests.code == 0, unit_tests.out
    done = re.search(r"PASS=(\d+) WARN=0 ERROR=0 SKIP=0", unit_tests.out)
    assert done is not None, unit_tests.out
    hooks = sum(node["resource_type"] == "operation" for node in manifest["nodes"].values())  # dbt counts them, too
    assert int(done[1]) == len(manifest["unit_tests"]) + hooks > 50
