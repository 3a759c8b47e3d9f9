"""What a start does not do."""

from __future__ import annotations

import subprocess
import sys

from dagster_project.settings import PROJECT_ROOT


def test_the_code_location_loads_without_dbt() -> None:
    """dbt has a process of its own; half of its modules would be a tenth of a run with nothing new."""
    asked = (
        "import sys, dagster_project.definitions as d; d.defs().resolve_asset_graph(); "
        "print(sorted(name for name in sys.modules if name == 'dbt' or name.startswith(('dbt.', 'dbt_'))))"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
