"""Whole runs of a company whose accounts are HubSpot's, which then gets their health back, or will not take it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dagster_project.settings import PROJECT_ROOT
from tests.unit.crm_company import KEY, Crm, crm

pytestmark = pytest.mark.acceptance


@pytest.fixture
def server() -> Iterator[Crm]:
    with crm() as made:
        made.held = {f"70{number}": {"name": f"Company {number}"} for number in range(5)}
        yield made


def run(config: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "HEALTH_DATA"}
    command = [str(Path(sys.executable).with_name("health")), "run"]
    environ |= {"HEALTH_CONFIG": str(config), "CRM_KEY": KEY}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_a_crm_that_refuses_fails_no_run_and_gets_it_from_the_next(tmp_path: Path, server: Crm) -> None:
    document = {
        "company": "Acme", "home": str(tmp_path / "home"), "days": {"first": "2026-03-01", "last": "2026-03-02"},
        "scorecards": str(PROJECT_ROOT / "config" / "scorecards"),
        "alerts": str(PROJECT_ROOT / "config" / "alerts.yml"),
        "sources": {"hubspot": {
            "api_key": "env:CRM_KEY", "url": server.url, "accounts": {"name": "name"},
            "match": {"by": ["external_id"], "external_id": "hs_object_id"},
        }},
        "write_back": {"enabled": True, "hubspot": {"fields": {"health_band": "band", "health_day": "day"}}},
    }  # fmt: skip
    config = tmp_path / "pipeline.yml"
    config.write_text(yaml.safe_dump(document))
    server.refuses = {"702": "LOCKED"}
    first = run(config)
    assert first.returncode == 4, first.stdout[-3000:] + first.stderr[-3000:]
    assert first.stderr.splitlines()[-1] == "hubspot refused 1 record: LOCKED (1). The next run tries again."
    assert "hubspot: 4 sent, 0 unchanged, 1 refused; 0 accounts without an id there" in first.stdout
    assert (tmp_path / "home" / "published" / "mart.duckdb").is_file()
    written = {one: {**values} for one, values in server.held.items()}
    told = {"health_band": "insufficient_data", "health_day": "2026-03-02"}
    assert [one for one in written if told.items() <= written[one].items()] == ["700", "701", "703", "704"]

    server.refuses, server.got = {}, []
    second = run(config)
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr[-3000:]
    assert server.got == ["702"]
    third = run(config)
    assert (third.returncode, server.got) == (0, ["702"])
    assert "Nothing is due" in third.stdout, "what was written to HubSpot did not come back as news"
    assert KEY not in "".join(one.stdout + one.stderr for one in (first, second, third))
