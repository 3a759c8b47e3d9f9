"""`health alerts` as a person types it: what is open, what was done, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from alert_company import FIRST, SECRET, AlertCompany, Receiver, receiver
from typer.testing import CliRunner, Result

from dagster_project.cli import app

MARCH_3 = FIRST.replace(day=3)
Health = Callable[..., Result]


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlertCompany:
    accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    files = {"folder": str(tmp_path), "entities": {"accounts": accounts}}
    (tmp_path / "alerts.yml").write_text("rules: []\n")
    config = {"company": "Acme", "home": str(tmp_path), "days": {"first": str(FIRST)}, "sources": {"files": files},
              "alerts": str(tmp_path / "alerts.yml"), "destinations": {"mart": {"folder": "."}}}  # fmt: skip
    (tmp_path / "pipeline.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("HEALTH_CONFIG", str(tmp_path / "pipeline.yml"))
    made = AlertCompany(tmp_path, {})
    made.breach("abcd1111aaaa")
    made.breach("abcd2222aaaa", "A2", rule="fell", title="Health fell", severity="warning", opened=MARCH_3)
    made.breach("closed00aaaa", closed_on=MARCH_3, close_reason="cleared")
    made.publish(MARCH_3)
    return made


@pytest.fixture
def health(company: AlertCompany) -> Health:
    return lambda *words: CliRunner().invoke(app, ["alerts", *words], catch_exceptions=False)


@pytest.fixture
def hook(company: AlertCompany, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as made:
        monkeypatch.setenv("HOOK", made.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        yield made


def turn_on(company: AlertCompany, enabled: bool) -> None:
    hook = {"webhook": "env:HOOK", "secret": "env:HOOK_SECRET"}
    delivery = {"enabled": enabled, "channels": {"crm": hook}, "routes": [{"to": ["crm"]}], "data_owner": "crm"}
    (company.folder / "alerts.yml").write_text(yaml.safe_dump({"rules": [], "delivery": delivery}))


def test_the_list_shows_open_breaches_newest_first_and_where_they_stand(health: Health) -> None:
    health("acknowledge", "abcd1", "--by", "ada")
    health("assign", "abcd1", "--to", "Dana Ruiz", "--by", "ada")
    health("snooze", "abcd2", "--until", "2026-03-09", "--by", "ben")
    assert health("list").stdout.splitlines() == [
        "abcd2222  warning  2026-03-03  Acme 2  Health fell  (Ben)  snoozed until 2026-03-09",
        "abcd1111  critical  2026-03-01  Acme 1  Health is red  (Ada)  acknowledged, with Dana Ruiz",
        "2 open",
    ]


def test_the_log_tells_who_did_what(health: Health) -> None:
    done = health("close", "abcd1111", "--reason", "they renewed", "--by", "ada")
    assert (done.exit_code, done.stdout) == (0, "abcd1111 Acme 1, Health is red: close noted\n")
    (line,) = health("log").stdout.splitlines()
    assert line.split("  ")[1:] == ["ada", "close", "abcd1111aa", "they renewed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("acknowledge", "ffff"), "There is no breach 'ffff'. Those that are open: health alerts list"),
        (("acknowledge", "abcd"), "'abcd' begins the names of 2 breaches; write more of it."),
        (("acknowledge", "closed00"), "Breach closed00 closed on 2026-03-03; nothing is to be done about it any more."),
        (("snooze", "abcd1", "--until", "2026-03-03"), "2026-03-03 is over: the newest day scored is 2026-03-03."),
        (("close", "abcd1", "--reason", " "), "--reason is empty."),
        (("release", "2026-03-01"), "No open breach waits for 2026-03-01."),
        (("send",), "delivery.enabled in alerts.yml is false, so nothing is sent. What would be: --dry-run"),
    ],
)
def test_what_cannot_be_done_is_refused_and_not_noted(
    health: Health, company: AlertCompany, words: tuple[str, ...], said: str
) -> None:
    done = health(*words)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert health("log").stdout == ""


def test_a_release_of_a_day_is_noted(health: Health, company: AlertCompany) -> None:
    company.breach("abcd1111aaaa", mass_move_on=FIRST)
    company.publish(MARCH_3)
    assert "waits: many fell at once" in health("list").stdout
    assert health("release", "2026-03-01", "--by", "ada").exit_code == 0
    assert "ada  release  2026-03-01" in health("log").stdout


def test_send_tells_what_is_due_and_again_nothing(health: Health, company: AlertCompany, hook: Receiver) -> None:
    turn_on(company, enabled=False)
    dry = health("send", "--dry-run")
    assert dry.stdout.startswith("to crm: [warning] Acme 2: Health fell\n")
    assert dry.stdout.endswith("1 would be sent; but delivery.enabled in alerts.yml is false, so nothing is\n")
    turn_on(company, enabled=True)
    assert health("send").stdout.startswith("crm: 1 sent")
    assert "Nothing was to be sent." in health("send").stdout
    assert len(hook.got) == 1


def test_a_channel_that_does_not_take_it_ends_with_4(health: Health, company: AlertCompany, hook: Receiver) -> None:
    turn_on(company, enabled=True)
    hook.answers = [500]
    done = health("send")
    assert done.exit_code == 4
    assert "channel crm: 1 message could not be sent: answered with status 500" in done.stderr


def test_the_history_counts_breaches_by_month(health: Health, company: AlertCompany) -> None:
    assert health("history").stdout.splitlines() == [
        "month     opened  of accounts  per account",
        "2026-03         3            1         3.00",
        "3 in 1 months, 3.00 for an account and month",
    ]


def test_without_a_mart_it_says_what_to_do(health: Health, company: AlertCompany) -> None:
    company.mart.unlink()
    done = health("list")
    assert done.exit_code == 2
    assert "there is no published mart yet; run the pipeline first" in done.stderr
