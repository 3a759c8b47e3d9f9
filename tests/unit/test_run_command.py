"""What `health run` ends with where a provider could not be read: its own exit code, and the last lines say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.commands import execution, run
from dagster_project.components.inputs import inputs_hash
from dagster_project.settings import PROJECT_ROOT, Settings, load_settings

UNREAD = "stripe could not be read: no answer in time."
VANISHED = "No longer given by stripe: invoices.paid_at."


def settings(folder: Path, match: dict[str, Any]) -> Settings:
    accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    document = {
        "company": "Acme", "home": str(folder / "home"), "days": {"first": "2026-01-01", "last": "2026-01-31"},
        "scorecards": str(PROJECT_ROOT / "config" / "scorecards"),
        "alerts": str(PROJECT_ROOT / "config" / "alerts.yml"),
        "sources": {
            "files": {"folder": str(folder), "entities": {"accounts": accounts}},
            "stripe": {"api_key": "env:STRIPE_KEY", "match": match},
        },
    }  # fmt: skip
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(document))
    return load_settings(path, {})


class Told:
    """Stands in for a run: nothing is due, and these are its troubles; with `dead` somebody is to be told, in vain."""

    unread: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()

    def __init__(self, *arguments: object) -> None: ...

    def ingest(self) -> None: ...

    def days_due(self, *arguments: object) -> None: ...

    def remarks(self) -> list[str]:
        return []

    def is_delivered(self) -> bool:
        return True

    def troubles(self) -> tuple[list[str], list[str]]:
        return [*self.unread], [*self.vanished]

    def untold(self) -> list[str]:
        return [*self.dead]

    def tell(self, keys: object) -> None: ...

    def unsent(self) -> list[str]:
        return [*self.dead]


def test_a_dead_channel_is_told_last_and_ends_with_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Told, "dead", ("channel crm: 1 message could not be sent",))
    monkeypatch.setattr(execution, "Execution", Told)
    monkeypatch.setattr(run, "_print_result", lambda _: None)
    assert run.run_pipeline(settings(tmp_path, {"by": ["email_domain"]}), None, None, quiet=False) == 4
    said = capsys.readouterr()
    assert said.err == "\nchannel crm: 1 message could not be sent\n"
    assert "people or CRMs are to be told of something" in said.out
    assert "Nothing was written" not in said.out


@pytest.mark.parametrize(
    ("unread", "vanished", "code"), [((), (), 0), ((UNREAD,), (), 4), ((), (VANISHED,), 0), ((UNREAD,), (VANISHED,), 4)]
)
def test_the_last_lines_and_the_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unread: tuple[str, ...],
    vanished: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.setattr(Told, "unread", unread)
    monkeypatch.setattr(Told, "vanished", vanished)
    monkeypatch.setattr(execution, "Execution", Told)
    monkeypatch.setattr(run, "_print_result", lambda _: None)
    assert run.run_pipeline(settings(tmp_path, {"by": ["email_domain"]}), None, None, quiet=True) == code
    assert capsys.readouterr().err == "".join(f"\n{told}\n" for told in (*vanished, *unread))


def test_the_table_of_matched_customers_is_part_of_the_inputs(tmp_path: Path) -> None:
    table = tmp_path / "customers.csv"
    table.write_text("customer,account_id\ncus_1,A1\n")
    mapped = settings(tmp_path, {"by": ["mapping"], "mapping": str(table)})
    before = inputs_hash(mapped)
    assert inputs_hash(mapped) == before
    table.write_text("customer,account_id\ncus_1,A2\n")
    assert inputs_hash(mapped) != before
    table.unlink()
    assert len(inputs_hash(mapped)) == 12, "the run says that it is not there"
