"""The story of sixty days, told by a process of its own (sixty_days.py): it holds much of dbt, and changes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from dagster_project.settings import PROJECT_ROOT
from tests.integration.stories import End, Sample, story

DAYS = 60
KEPT = {"usage_events_days": 147, "repeats_days": 28}  # the fewest that config takes

Day = dict[str, Any]  # sixty_days.Day


@story()
def sixty(folder: Path, sample: Sample, end: End) -> list[Day]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.sixty_days", str(folder), "--days", str(DAYS)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return [json.loads(line) for line in (folder / "days.jsonl").read_text().splitlines()]
