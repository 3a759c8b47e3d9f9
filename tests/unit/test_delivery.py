"""Who is told what, once: breaches of a published mart through webhooks to a receiver that checks their signature."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from alert_company import FIRST, SECRET, AlertCompany, Receiver, receiver

from dagster_project.destinations import delivery as delivering
from dagster_project.destinations.alert_book import open_book
from dagster_project.destinations.alert_messages import of_failed_run
from dagster_project.destinations.delivery import deliver, tell_owner, would_send
from dagster_project.scorecards.delivery import Delivery

HOOK = {"webhook": "env:HOOK", "secret": "env:HOOK_SECRET"}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made
        assert made.wrong == [], "a signature that the receiver could not check"


@pytest.fixture
def company(tmp_path: Path, hook: Receiver) -> AlertCompany:
    made = AlertCompany(tmp_path, {"HOOK": hook.url, "HOOK_SECRET": SECRET})
    made.delivery = {
        "enabled": True, "channels": {"crm": HOOK, "data": HOOK}, "data_owner": "data", "routes": ({"to": ("crm",)},),
        "link": "https://health.example/{account_id}", "currency": "EUR",
    }  # fmt: skip
    return made


def test_a_breach_is_told_once_when_it_opens_and_once_when_it_closes(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1")
    assert company.tell(day(0)).sent == {"crm": 1}
    key, content = hook.got[0]
    assert content["title"] == "[critical] Acme 1: Health is red"
    assert content["text"].splitlines() == [
        "Open since 2026-03-01 (red_score).",
        "Health: red at 41.2, -12.5 points in 30 days.",
        "Pulls it down: NPS is -100 (-15.0).",
        "ARR 900 EUR; renewal on 2026-04-01; owner Ada.",
        "https://health.example/A1",
        f"Reference {key}",
    ]
    assert content["messages"][0]["facts"]["arr"] == 900
    assert company.tell(day(1)).sent == {}
    company.breach("b1", closed_on=day(2), close_reason="cleared")
    company.tell(day(2))
    company.tell(day(3))
    assert hook.titles[1:] == ["[critical] Acme 1: over: Health is red"]
    assert len(set(hook.keys)) == 2


def test_breaches_older_than_delivery_are_not_told(company: AlertCompany, hook: Receiver) -> None:
    company.breach("old", opened=day(-1))
    company.breach("new", "A2", opened=day(0))
    company.tell(day(0))
    company.breach("late", opened=day(-3), rule="fell")  # late facts found it afterwards
    company.tell(day(1))
    assert hook.titles == ["[critical] Acme 2: Health is red"]


def test_the_first_route_that_fits_is_taken(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["channels"] = dict.fromkeys(("rich", "ada", "rest", "data"), HOOK)
    company.delivery["routes"] = (
        {"to": ("rich",), "severity": ("critical",), "accounts": {"arr": {"from": 10_000}}},
        {"to": ("ada", "rest"), "accounts": {"owner": "Ada"}},
        {"to": ("rest",)},
    )
    company.breach("b1", "A2")
    company.breach("b2", "A2", severity="info")
    company.breach("b3", "A1")
    assert company.tell(day(0)).sent == {"rich": 1, "rest": 2, "ada": 1}


def test_what_a_channel_did_not_take_is_sent_by_the_next_run_under_the_same_key(
    company: AlertCompany, hook: Receiver
) -> None:
    company.breach("b1")
    company.breach("b2", "A2")
    hook.answers = [503]
    done = company.tell(day(0))
    assert (done.sent, len(done.stuck), done.stuck[0].reason) == ({"crm": 1}, 1, "answered with status 503")
    assert done.troubles == [
        "channel crm: 1 message could not be sent: answered with status 503. The next run tries again."
    ]
    stuck = done.stuck[0].bundle
    assert company.tell(day(0)).stuck == []
    assert stuck in hook.keys
    assert len(hook.keys) == len(set(hook.keys)) == 2


def test_a_dead_channel_holds_up_no_other_and_is_left_alone_after_three(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["channels"]["dead"] = {"webhook": "env:DEAD", "secret": "env:HOOK_SECRET"}
    company.delivery["routes"] = ({"to": ("dead", "crm")},)
    company.environ["DEAD"] = "http://127.0.0.1:1/hook"
    for number in range(5):
        company.breach(f"b{number}", rule=f"rule{number}")
    done = company.tell(day(0))
    assert (done.sent, len(done.stuck), done.waiting) == ({"crm": 5}, 3, 2)
    company.environ["DEAD"] = hook.url
    assert company.tell(day(1)).sent == {"dead": 5}


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"HOOK": ""}, "the environment variable HOOK is not set; alerts.yml names it"),
        ({"HOOK": "http://elsewhere.example/secret"}, "what HOOK holds is no https address"),
        ({"MAIL": "nonsense"}, "what MAIL holds is no address that Apprise knows"),
        ({"MAIL": "json://127.0.0.1:1/secret"}, "the service (json://) did not take it; check the address in MAIL"),
    ],
)
def test_why_a_channel_fails_is_told_without_its_address(
    company: AlertCompany, environ: dict[str, str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    company.delivery["channels"]["crm"] = {"apprise": "env:MAIL"} if "MAIL" in environ else HOOK
    company.environ |= environ
    company.breach("b1")
    assert [one.reason for one in company.tell(day(0)).stuck] == [reason]
    assert "secret" not in "".join(capfd.readouterr())
    assert b"/secret" not in company.book.read_bytes()


def test_a_digest_is_one_message_for_an_owner_and_a_later_one_is_another(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["routes"] = ({"to": ("crm",), "digest": True},)
    company.breach("b1", "A1")
    company.breach("b2", "A1", rule="fell", title="Health fell")
    company.breach("b3", "A2")
    company.tell(day(0))
    assert sorted(hook.titles) == [
        "Customer health, 2026-03-01: 2 messages for Ada", "[critical] Acme 2: Health is red",
    ]  # fmt: skip
    company.breach("b4", "A1", rule="late", title="Late")  # the same day, scored again
    company.tell(day(0))
    assert hook.titles[2:] == ["[critical] Acme 1: Late"]


def test_a_digest_that_failed_goes_again_as_it_was(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["routes"] = ({"to": ("crm",), "digest": True},)
    company.breach("b1")
    company.breach("b2", rule="fell", title="Health fell")
    hook.answers = [500]
    (stuck,) = company.tell(day(0)).stuck
    company.breach("b3", rule="late", title="Late", opened=day(1))
    company.tell(day(1))
    assert hook.titles == ["Customer health, 2026-03-01: 2 messages for Ada", "[critical] Acme 1: Late"]
    assert hook.keys[0] == stuck.bundle


def test_a_snooze_is_silent_until_its_day_and_then_told_again(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1")
    company.tell(day(0))
    company.act("b1", "snooze", until=day(3))
    company.tell(day(2))
    assert len(hook.got) == 1
    company.tell(day(3))
    company.tell(day(4))
    assert hook.titles[1:] == ["[critical] Acme 1: still so after its snooze: Health is red"]


def test_what_closes_in_a_snooze_is_told_after_it(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1")
    company.tell(day(0))
    company.act("b1", "snooze", until=day(3))
    company.breach("b1", closed_on=day(2), close_reason="cleared")
    company.tell(day(2))
    assert len(hook.got) == 1
    company.tell(day(3))
    assert hook.titles[1:] == ["[critical] Acme 1: over: Health is red"]


def test_nothing_more_is_told_of_what_a_person_closed(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["escalate_after_days"] = 2
    company.breach("b1")
    company.tell(day(0))
    company.act("b1", "close", reason="they renewed")
    company.tell(day(5))
    company.breach("b1", closed_on=day(6), close_reason="cleared")
    company.tell(day(6))
    assert len(hook.got) == 1


@pytest.mark.parametrize("act", [None, "acknowledge", "assign"])
def test_what_nobody_touches_escalates_once(company: AlertCompany, hook: Receiver, act: str | None) -> None:
    company.delivery |= {"escalate_after_days": 3, "channels": {"crm": HOOK, "boss": HOOK, "data": HOOK}}
    company.delivery["routes"] = ({"to": ("boss",), "severity": ("critical",)}, {"to": ("crm",)})
    company.breach("b1", severity="warning")
    company.tell(day(0))
    if act:
        company.act("b1", act, assignee="Ben" if act == "assign" else None)
    sent = [company.tell(day(number)).sent for number in (2, 3, 4)]
    assert sent == ([{}, {"boss": 1}, {}] if act is None else [{}, {}, {}])
    if act is None:
        assert hook.titles[1] == "[critical] Acme 1: nobody has taken it up: Health is red"


def test_an_assigned_breach_takes_the_route_of_its_new_owner(company: AlertCompany, hook: Receiver) -> None:
    company.delivery["channels"]["ben"] = HOOK
    company.delivery["routes"] = ({"to": ("ben",), "accounts": {"owner": "Ben"}}, {"to": ("crm",)})
    company.breach("b1")
    assert company.tell(day(0)).sent == {"crm": 1}
    company.act("b1", "assign", assignee="Ben")
    company.act("b1", "snooze", until=day(2))
    assert company.tell(day(2)).sent == {"ben": 1}


def test_a_mass_move_waits_and_the_data_owner_is_told_once(company: AlertCompany, hook: Receiver) -> None:
    company.moves = [day(0)]
    company.breach("b1", mass_move_on=day(0))
    company.breach("b2", "A2")
    assert company.tell(day(0)).sent == {"data": 1, "crm": 1}
    assert company.tell(day(1)).sent == {}
    text = next(content["text"] for _, content in hook.got if "at once" in content["title"])
    assert "1 breaches of that day wait" in text
    assert "health alerts release 2026-03-01" in text
    company.act("2026-03-01", "release")
    assert company.tell(day(1)).sent == {"crm": 1}


def test_a_breach_whose_first_day_moved_is_the_same_to_who_was_told(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1", opened=day(1))
    company.tell(day(1))
    del company.breaches["b1"]
    company.breach("b1_earlier", opened=day(0))
    assert company.tell(day(2)).sent == {}
    company.breach("b1_earlier", opened=day(0), closed_on=day(3), close_reason="cleared")
    company.tell(day(3))
    company.tell(day(4))
    assert hook.titles[1:] == ["[critical] Acme 1: over: Health is red"]


def test_a_breach_that_never_was_is_withdrawn(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1")
    company.tell(day(0))
    company.breaches.clear()
    company.tell(day(1))
    company.tell(day(2))
    assert hook.titles[1:] == ["[critical] Acme 1: withdrawn: Health is red"]


def test_a_dry_run_shows_what_would_be_sent_and_writes_nothing(company: AlertCompany, hook: Receiver) -> None:
    company.breach("b1")
    company.publish(day(0))
    with open_book(company.book) as book:
        found = would_send(company.mart, Delivery.model_validate(company.delivery), book)
        assert [[one.breach_id for one in bundle] for bundle in found] == [["b1"]]
        assert (book.told(), book.begun_on()) == ([], None)
    assert hook.got == []


def test_what_is_written_down_outlives_a_crash_before_sending(
    company: AlertCompany, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.breach("b1")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delivering, "send", die)
        with pytest.raises(KeyboardInterrupt):
            company.tell(day(0))
    company.breaches.clear()  # whatever has become of it
    company.mart.unlink()
    company.publish(day(0))
    with open_book(company.book) as book:
        deliver(company.mart, Delivery.model_validate(company.delivery), book, company.clock(day(0)), company.environ)
    assert hook.titles[0] == "[critical] Acme 1: Health is red"


def test_a_failed_run_is_told_to_the_data_owner_once_and_again_if_the_channel_was_dead(
    company: AlertCompany, hook: Receiver
) -> None:
    delivery = Delivery.model_validate(company.delivery)
    hook.answers = [500]
    for _ in range(3):
        with open_book(company.book) as book:
            tell_owner(
                lambda today: of_failed_run(delivery, "1234", ["dbt_models"], today),
                delivery, book, company.clock(day(0)), company.environ,
            )  # fmt: skip
    assert hook.titles == ["Customer health, 2026-03-01: a run failed"]
    assert "It failed at: dbt_models." in hook.got[0][1]["text"]
    assert "under run 1234" in hook.got[0][1]["text"]


def test_two_that_send_at_once_tell_each_thing_once(company: AlertCompany, hook: Receiver) -> None:
    for number in range(20):
        company.breach(f"b{number}", rule=f"rule{number}")
    company.publish(day(0))
    delivery = Delivery.model_validate(company.delivery)

    def send() -> None:
        with open_book(company.book) as book:
            deliver(company.mart, delivery, book, company.clock(day(0)), company.environ)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.keys) == len(set(hook.keys)) == 20


def test_the_book_only_grows(company: AlertCompany) -> None:
    company.breach("b1")
    company.tell(day(0))
    company.act("b1", "acknowledge")
    with sqlite3.connect(company.book) as con:
        for table, change in (("actions", "who = 'eve'"), ("messages", "event = 'x'"), ("attempts", "outcome = 'x'")):
            for statement in (f"update {table} set {change}", f"delete from {table}"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    con.execute(statement)
    assert company.book.stat().st_mode & 0o777 == 0o640
