"""`health write-back` as a person types it: what would be sent, what was, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from crm_company import KEY, Crm, CrmCompany, crm
from typer.testing import CliRunner, Result

from dagster_project.cli import app

Health = Callable[..., Result]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    with crm() as made:
        made.held = {f"c{number}": {} for number in range(1, 13)}
        yield made


@pytest.fixture
def company(tmp_path: Path, server: Crm, monkeypatch: pytest.MonkeyPatch) -> CrmCompany:
    made = CrmCompany(tmp_path, "hubspot", server.url, 12, links=11)
    made.publish({1: None, 2: 41.24})
    monkeypatch.setenv("HEALTH_CONFIG", str(made.settings.config_path))
    monkeypatch.setenv("CRM_KEY", KEY)
    return made


@pytest.fixture
def health(company: CrmCompany) -> Health:
    return lambda *words: CliRunner().invoke(app, ["write-back", *words], catch_exceptions=False)


def turn_off(company: CrmCompany, **write_back: object) -> None:
    path = company.folder / "pipeline.yml"
    document = yaml.safe_load(path.read_text())
    document["write_back"] |= {"enabled": False}
    path.write_text(yaml.safe_dump(document | write_back))


def test_a_dry_run_shows_the_first_rows_and_sends_nothing(health: Health, server: Crm) -> None:
    done = health("--dry-run")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "hubspot: 11 would be sent, 0 unchanged; 1 accounts without an id there"
    assert lines[1] == (
        "  A1 (c1)  health_score: nothing, health_band: insufficient_data, health_drivers: usage is 90 % (+9.0)"
    )
    assert lines[4].startswith("  A2 (c2)  health_score: 41.2, health_band: red")
    assert (len(lines), lines[-1]) == (12, "  and 1 more")
    assert server.bodies == []


def test_it_sends_and_then_there_is_nothing_to_send(health: Health, server: Crm) -> None:
    done = health("--target", "hubspot")
    assert (done.exit_code, done.stdout) == (
        0, "hubspot: 11 sent, 0 unchanged; 1 accounts without an id there\n"
    )  # fmt: skip
    assert health().stdout.startswith("hubspot: 0 sent, 11 unchanged")
    assert health("--dry-run").stdout.startswith("hubspot: 0 would be sent, 11 unchanged")
    assert len(server.got) == 11


def test_a_refusal_ends_with_4(health: Health, server: Crm) -> None:
    server.refuses = {"c3": "LOCKED"}
    done = health()
    assert done.exit_code == 4
    assert done.stderr.splitlines() == [
        "  refused account A3 (c3): LOCKED",
        "hubspot refused 1 record: LOCKED (1).",
        "The next run tries again.",
    ]


def test_while_it_is_off_it_only_shows(health: Health, company: CrmCompany, server: Crm) -> None:
    turn_off(company)
    dry = health("--dry-run")
    assert dry.stdout.endswith("But write_back.enabled in pipeline.yml is false, so nothing is sent.\n")
    done = health()
    assert (done.exit_code, done.stderr) == (
        2, "write_back.enabled in pipeline.yml is false, so nothing is sent. What would be: --dry-run\n"
    )  # fmt: skip
    assert server.bodies == []


def test_what_cannot_be_done_is_refused(health: Health, company: CrmCompany) -> None:
    done = health("--target", "hubspt")
    assert done.exit_code == 2
    assert "hubspt is no target of write_back in pipeline.yml; did you mean 'hubspot'?" in done.stderr
    turn_off(company, write_back={})
    assert "names no target; docs/how-to/write-back.md" in health("--dry-run").stderr
    company.settings  # noqa: B018  it writes the file anew
    (company.folder / "mart.duckdb").unlink()
    done = health("--dry-run")
    assert (done.exit_code, "there is no published mart yet" in done.stderr) == (2, True)
