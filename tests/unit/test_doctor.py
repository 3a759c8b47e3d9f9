"""`health doctor` says what is wrong and what to do, and writes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dagster_project.commands import doctor
from dagster_project.connectors.inspection import check_files
from dagster_project.connectors.source_files import SourceFileError
from dagster_project.settings import PROJECT_ROOT, load_settings

ACCOUNTS = "id,since\nA1,2026-01-01\n"


class Company:
    """Two entities, a folder of files and the project's own scorecards; `doctor` runs on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.landing, self.config = folder / "home", folder / "landing", folder / "pipeline.yml"
        self._capsys = capsys
        (self.landing / "tickets").mkdir(parents=True)
        (self.landing / "accounts.csv").write_text(ACCOUNTS)
        self.document: dict[str, Any] = {
            "company": "Acme",
            "home": str(self.home),
            "timezone": "UTC",
            "days": {"first": "2026-01-01", "last": "2026-01-31"},
            "sources": {
                "files": {
                    "folder": str(self.landing),
                    "entities": {
                        "accounts": {"files": "accounts*.csv", "columns": {"account_id": "id", "created_on": "since"}},
                        "tickets": {
                            "files": "tickets/*.jsonl",
                            "columns": {
                                "ticket_id": "id",
                                "account_id": "customer",
                                "created_at": "at",
                                "status": "st",
                            },
                        },
                    },
                }
            },
        }

    def doctor(self) -> tuple[int, str]:
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))
        code = doctor.examine()
        return code, self._capsys.readouterr().out

    def check(self, entity: str) -> int:
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))
        return check_files(load_settings(self.config), entity)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Company:
    made = Company(tmp_path, capsys)
    monkeypatch.setenv("HEALTH_CONFIG", str(made.config))
    project = tmp_path / "project"
    manifest = project / "dbt_project" / "target" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    monkeypatch.setattr(doctor, "PROJECT_ROOT", project)
    return made


def test_a_sound_company(company: Company) -> None:
    (company.landing / "tickets" / "a.jsonl").write_text(
        '{"id": 1, "customer": "A1", "at": "2026-01-02", "st": "open"}\n'
    )
    code, said = company.doctor()
    assert code == 0, said
    assert "FAIL" not in said
    assert "warn" not in said
    assert "accounts: 1 file, its columns fit the mapping" in said
    assert "0 to fix, 0 to know about. `health run` can start." in said
    assert not company.home.exists(), "doctor wrote something"


def test_an_entity_without_files_is_something_to_know(company: Company) -> None:
    code, said = company.doctor()
    assert code == 0
    assert "warn  tickets: no file matches tickets/*.jsonl yet" in said
    assert "0 to fix, 1 to know about" in said


def test_a_folder_that_is_not_there(company: Company) -> None:
    company.document["sources"]["files"]["folder"] = str(company.landing / "nowhere")
    code, said = company.doctor()
    assert code == 1
    assert f"FAIL  files: the folder {company.landing / 'nowhere'} is not there: make it, or change" in said


def test_no_accounts(company: Company) -> None:
    (company.landing / "accounts.csv").unlink()
    code, said = company.doctor()
    assert code == 1
    assert "FAIL  accounts: no file matches accounts*.csv in" in said


def test_a_missing_column_is_named_with_those_found(company: Company) -> None:
    (company.landing / "accounts.csv").write_text("id,sinse\nA1,2026-01-01\n")
    code, said = company.doctor()
    assert code == 1
    assert "accounts.csv: has no column 'since' (did you mean 'sinse'?); columns found: id, sinse" in said


def test_every_file_is_looked_at_and_the_first_faults_told(company: Company) -> None:
    for number in range(8):
        (company.landing / f"accounts{number}.csv").write_text("key\nA1\n")
    with pytest.raises(SourceFileError) as error:
        company.check("accounts")
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"accounts{number}.csv" for number in range(5)] + [
        "and 3 more files"
    ]


def test_json_lines_without_a_needed_key(company: Company) -> None:
    (company.landing / "tickets" / "a.jsonl").write_text('{"id": 1, "customer": "A1", "opened": "2026-01-02"}\n')
    with pytest.raises(SourceFileError, match="has no key 'at'"):
        company.check("tickets")


def test_json_lines_may_leave_out_what_is_not_needed(company: Company) -> None:
    (company.landing / "tickets" / "a.jsonl").write_text('{"id": 1, "customer": "A1", "at": "2026-01-02"}\n')
    (company.landing / "tickets" / "empty.jsonl").write_text("")
    assert company.check("tickets") == 2


def test_damaged_parquet(company: Company) -> None:
    (company.landing / "accounts.parquet").write_bytes(b"PAR1 and then nothing")
    company.document["sources"]["files"]["entities"]["accounts"]["files"] = "accounts.parquet"
    with pytest.raises(SourceFileError, match=r"accounts\.parquet: is a damaged Parquet file"):
        company.check("accounts")


def test_an_entity_that_is_not_mapped_has_no_files(company: Company) -> None:
    assert company.check("invoices") == 0


def test_a_wrong_pipeline(company: Company) -> None:
    company.document["look_back_day"] = 3
    code, said = company.doctor()
    assert code == 1
    assert "FAIL  configuration: mistakes in pipeline.yml:" in said
    assert "look_back_day: unknown key; did you mean 'look_back_days'?" in said


def test_a_wrong_scorecard(company: Company, tmp_path: Path) -> None:
    scorecards = tmp_path / "scorecards"
    scorecards.mkdir()
    shipped = (PROJECT_ROOT / "config" / "scorecards" / "standard.yml").read_text()
    (scorecards / "standard.yml").write_text(shipped.replace("measures:", "mesures:", 1))
    company.document["scorecards"] = str(scorecards)
    code, said = company.doctor()
    assert code == 1
    assert "FAIL  scorecards: mistakes:" in said
    assert "standard.yml:" in said
    assert "did you mean 'measures'?" in said


def test_wrong_alert_rules(company: Company, tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.yml"
    alerts.write_text((PROJECT_ROOT / "config" / "alerts.yml").read_text().replace("severity:", "severty:", 1))
    company.document["alerts"] = str(alerts)
    code, said = company.doctor()
    assert code == 1
    assert "FAIL  alerts: mistakes:" in said
    assert "alerts.yml:" in said
    assert "did you mean 'severity'?" in said


def test_a_home_that_cannot_be_made(company: Company, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    company.document["home"] = str(tmp_path / "occupied" / "home")
    code, said = company.doctor()
    assert code == 1
    assert "FAIL  home:" in said


def test_a_missing_manifest(company: Company) -> None:
    (doctor.PROJECT_ROOT / "dbt_project" / "target" / "manifest.json").unlink()
    code, said = company.doctor()
    assert code == 1
    assert "manifest.json is missing: `make setup` makes it" in said


@pytest.fixture
def held_warehouse(company: Company) -> Iterator[Company]:
    """Another process has the warehouse open, as a run does."""
    company.home.mkdir()
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(company.home / "warehouse.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        yield company
        holder.stdin.close()


def test_a_warehouse_that_a_run_holds(held_warehouse: Company) -> None:
    code, said = held_warehouse.doctor()
    assert code == 0
    assert "warn  warehouse: a run is under way; it holds the warehouse" in said


def test_a_warehouse_that_is_none(company: Company) -> None:
    company.home.mkdir()
    (company.home / "warehouse.duckdb").write_text("something else")
    code, said = company.doctor()
    assert code == 1
    assert "warehouse.duckdb cannot be read" in said


def test_days_already_scored(company: Company) -> None:
    company.home.mkdir()
    with duckdb.connect(str(company.home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("create schema raw_meta")
        warehouse.execute("create table raw_meta.scored_days as select date '2026-01-05' as day")
    assert "ok    warehouse: 1 day scored, 2026-01-05 to 2026-01-05" in company.doctor()[1]
