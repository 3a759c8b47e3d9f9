"""The assets of the CRMs that health is written back to: what they tell, and that a dead CRM fails no run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.components.crm_assets import crm_assets, crm_key, not_taken
from tests.defs.test_assets import CHECK_SENTENCE
from tests.unit.crm_company import KEY, Crm, CrmCompany, crm


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setenv("CRM_KEY", KEY)
    with crm() as made:
        made.held = {f"c{number}": {} for number in range(1, 6)}
        yield made


@pytest.fixture
def company(tmp_path: Path, server: Crm) -> CrmCompany:
    made = CrmCompany(tmp_path, "hubspot", server.url, links=4)
    made.publish()
    return made


def run(company: CrmCompany) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
    """What a run tells of the asset: its metadata, and its check."""
    result = dg.materialize(crm_assets(company.settings), raise_on_error=False)
    assert result.success
    (event,) = result.asset_materializations_for_node("crm__hubspot")
    (check,) = result.get_asset_check_evaluations()
    return {name: getattr(one, "records", one.value) for name, one in event.metadata.items()}, check


def test_an_asset_says_what_it_is(company: CrmCompany) -> None:
    (asset,) = crm_assets(company.settings)
    (spec,) = asset.specs
    assert (spec.key, spec.group_name, [dep.asset_key for dep in spec.deps]) == (
        dg.AssetKey(["crm", "hubspot"]), "activate", [dg.AssetKey(["published", "mart"])]
    )  # fmt: skip
    assert spec.owners
    assert str(spec.description).endswith(".")
    (check,) = asset.check_specs
    assert check.name == "hubspot_took_all"
    assert re.match(CHECK_SENTENCE, str(check.description))


def test_nothing_is_there_unless_it_is_turned_on(company: CrmCompany) -> None:
    settings = company.settings
    off = settings.model_copy(update={"write_back": settings.write_back.model_copy(update={"enabled": False})})
    assert crm_assets(off) == []
    assert not_taken(off) == []


def test_counts_and_a_check_that_passes(company: CrmCompany, server: Crm) -> None:
    assert not_taken(company.settings) == [crm_key("hubspot")]
    metadata, check = run(company)
    assert metadata == {"sent": 4, "unchanged": 0, "failed": 0, "not_tried": 0, "without_id": 1, "requests": 1}
    assert check.passed
    assert not_taken(company.settings) == []


def test_rows_that_were_refused_are_listed_and_warn(
    company: CrmCompany, server: Crm, capfd: pytest.CaptureFixture[str]
) -> None:
    server.refuses = {"c2": "LOCKED"}
    metadata, check = run(company)
    (row,) = metadata.pop("refused")
    assert row.data == {"account": "A2", "customer": "c2", "reason": "LOCKED"}
    assert metadata == {"sent": 3, "unchanged": 0, "failed": 1, "not_tried": 0, "without_id": 1, "requests": 1}
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "hubspot refused 1 record: LOCKED (1). The next run tries again."
    assert "hubspot refused account A2 (c2): LOCKED" in capfd.readouterr().err
    assert not_taken(company.settings) == [crm_key("hubspot")]


def test_a_dead_crm_fails_no_run(company: CrmCompany, server: Crm) -> None:
    server.faults = dict.fromkeys(range(1, 40), "drop")
    metadata, check = run(company)
    assert (metadata["sent"], metadata["not_tried"], check.passed) == (0, 4, False)
    assert "failed 6 times" in str(check.description)
