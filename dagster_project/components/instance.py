"""Dagster's own state for a company: `home`/dagster, with a dagster.yaml that this project writes."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from dagster_project.settings import Settings


def prepare_instance(settings: Settings) -> Path:
    """Write `home`/dagster/dagster.yaml, point DAGSTER_HOME at it, and return the folder.

    One run at a time, one writer of the warehouse at a time, no telemetry; a daemon frees what a killed run held.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    text = "# Written by `health`; changes here are lost. See docs/how-to/deploy.md.\n" + yaml.safe_dump(_config(home))
    file = home / "dagster.yaml"
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
    os.environ["DAGSTER_HOME"] = os.fspath(home)
    return home


def _config(home: Path) -> dict[str, object]:
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # the UI's first page, which asks for an address to send mail to
        "concurrency": {
            "runs": {"max_concurrent_runs": 1},
            "pools": {"granularity": "op", "default_limit": 1},
        },
        "run_monitoring": {"enabled": True, "free_slots_after_run_end_seconds": 5, "poll_interval_seconds": 10},
        "storage": {
            "custom": {
                "module": "dagster_project.components.event_log",
                "class": "BatchedSqliteStorage",
                "config": {"base_dir": os.fspath(home)},
            }
        },
    }
