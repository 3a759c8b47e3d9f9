"""`health init`: a first pipeline.yml from answers, that the loader takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from dagster_project.cli import app
from dagster_project.commands.init import InitError, write_config
from dagster_project.provider_settings import PROVIDERS
from dagster_project.settings import load_settings

Init = Callable[..., Result]
BASE = ("--company", "Acme", "--first", "2026-01-01")


@pytest.fixture
def init(tmp_path: Path) -> Init:
    (tmp_path / "customers.csv").write_text("ID,Company,Customer_Since,ARR,CSM\nA1,Acme,2026-01-01,100,Ada\n")
    return lambda *words: CliRunner().invoke(
        app, ["init", str(tmp_path / "my" / "pipeline.yml"), *BASE, *words], catch_exceptions=False
    )


def written(folder: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((folder / "my" / "pipeline.yml").read_text())["sources"]
    return found


def test_columns_are_guessed_by_their_names(init: Init, tmp_path: Path) -> None:
    done = init("--accounts", str(tmp_path / "customers.csv"))
    assert (done.exit_code, "Next: HEALTH_CONFIG=" in done.stdout) == (0, True), done.stderr
    assert written(tmp_path) == {
        "files": {
            "folder": str(tmp_path),
            "entities": {
                "accounts": {
                    "files": "customers.csv",
                    "columns": {
                        "account_id": "ID", "created_on": "Customer_Since", "name": "Company", "owner": "CSM",
                        "arr": "ARR",
                    },
                }
            },
        }
    }  # fmt: skip
    assert load_settings(tmp_path / "my" / "pipeline.yml", {}).company == "Acme"


def test_keys_of_providers_become_variables(init: Init, tmp_path: Path) -> None:
    done = init("--provider", "hubspot", "--provider", "zendesk", "--set", "zendesk.url=https://acme.zendesk.com")
    assert done.exit_code == 0, done.stderr
    assert written(tmp_path) == {
        "hubspot": {
            "api_key": "env:HUBSPOT_API_KEY",
            "match": {"by": ["external_id"], "external_id": "hs_object_id"},
            "accounts": {},
        },
        "zendesk": {
            "user": "env:ZENDESK_USER",
            "api_key": "env:ZENDESK_API_KEY",
            "match": {"by": ["email_domain"]},
            "url": "https://acme.zendesk.com",
        },
    }
    assert [line.strip() for line in done.stdout.splitlines() if "set " in line] == [
        "set HUBSPOT_API_KEY", "set ZENDESK_API_KEY", "set ZENDESK_USER",
    ]  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_can_be_named(provider: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,since\n")
    told = {"url": "https://acme.example", "project": "7", "forms": "{abc: {kind: nps, score: q}}"}
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return told[question.split(": ")[1].split(" ", maxsplit=1)[0]]

    write_config(tmp_path / "p.yml", "Acme", "UTC", "2026-01-01", tmp_path / "a.csv", [provider], {}, ask)
    assert [*load_settings(tmp_path / "p.yml", {}).sources.providers] == [provider]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "somebody has to be scored: name a file of accounts (--accounts), or hubspot or salesforce"),
        (("--provider", "hubspotty"), "'hubspotty' is no provider; legal: chargebee, delighted"),
        (("--accounts", "HERE/none.csv"), "none.csv: cannot be read as CSV (FileNotFoundError)"),
        (("--accounts", "HERE/odd.csv"), "Which column of odd.csv is the customer? (foo, bar): there is no terminal"),
        (("--provider", "hubspot", "--provider", "posthog"), "posthog: project (docs/reference/pipeline.md says"),
        (("--provider", "hubspot", "--timezone", "Berlin"), "these answers make no config:\n"),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_nothing_written(
    init: Init, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "odd.csv").write_text("foo,bar\n")
    done = init(*(word.replace("HERE", str(tmp_path)) for word in words))
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "my" / "pipeline.yml").exists()


def test_a_file_that_is_there_is_not_written_over(init: Init, tmp_path: Path) -> None:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "pipeline.yml").write_text("mine")
    done = init("--provider", "hubspot")
    assert (done.exit_code, "is there already" in done.stderr) == (2, True)
    assert (tmp_path / "my" / "pipeline.yml").read_text() == "mine"


def test_a_column_that_the_file_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("foo,bar\n")
    with pytest.raises(InitError, match=r"odd.csv has no column 'baz'; it has foo, bar"):
        write_config(tmp_path / "p.yml", "Acme", "UTC", "2026-01-01", tmp_path / "odd.csv", [], {}, lambda _: "baz")
