"""Messages to real receivers: e-mail over SMTP, and a thousand webhooks while the sender is killed a hundred times."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from dagster_project.destinations.alert_book import open_book
from dagster_project.settings import PROJECT_ROOT
from tests.unit.alert_company import FIRST, SECRET, AlertCompany, receiver

pytestmark = pytest.mark.acceptance

BREACHES, KILLS = 1000, 100
HOOK = {"webhook": "env:HOOK", "secret": "env:HOOK_SECRET"}


class Mailbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        self.letters.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def test_a_letter_says_what_a_person_has_to_know(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    address = f"mailto://127.0.0.1:{port}?from=health@acme.example&to=dana@acme.example&mode=insecure"
    company = AlertCompany(tmp_path, {"MAIL": address})
    company.delivery = {"enabled": True, "channels": {"mail": {"apprise": "env:MAIL"}}, "data_owner": "mail",
                        "routes": ({"to": ("mail",), "digest": True},)}  # fmt: skip
    company.breach("b1")
    company.breach("b2", rule="fell", title="Fell by <15> points & more")
    company.breach("b3", "A2")
    done = company.tell(FIRST)
    assert (done.sent, done.stuck) == ({"mail": 2}, [])
    assert [to for to, _ in box.letters] == [["dana@acme.example"]] * 2
    by_subject = {str(letter["Subject"]): letter for _, letter in box.letters}
    letter = by_subject["Customer health, 2026-03-01: 2 messages for Ada"]
    assert letter.get_content_type() == "text/plain", "a name must not become markup"
    text = letter.get_content()
    assert "NPS is -100 (-15.0)" in text
    assert "Fell by <15> points & more" in text
    assert "Reference " in text


def test_a_thousand_messages_and_a_hundred_kills(tmp_path: Path) -> None:
    """Every breach is told; twice only where the kill fell between the answer and the mark, under the same key."""
    company = AlertCompany(tmp_path, {})
    for number in range(BREACHES):
        company.breach(f"b{number}", rule=f"rule{number}")
    company.publish(FIRST)
    delivery = {"enabled": True, "channels": {"crm": HOOK}, "data_owner": "crm", "routes": [{"to": ["crm"]}]}
    (tmp_path / "alerts.json").write_text(json.dumps(delivery))
    chance, kills = random.Random(6), 0
    with receiver() as hook:
        environ = os.environ | {"HOOK": hook.url, "HOOK_SECRET": SECRET, "PYTHONPATH": str(PROJECT_ROOT)}
        command = [sys.executable, str(PROJECT_ROOT / "tests" / "acceptance" / "send_all.py"), str(tmp_path)]
        while kills < KILLS:
            with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                # It takes about a quarter of a second to write down what is due, then some milliseconds a message.
                enough = len(hook.got) + chance.randint(0, 2 * BREACHES // KILLS - 4)
                patience = time.monotonic() + chance.uniform(0, 3)
                while len(hook.got) < enough and process.poll() is None and time.monotonic() < patience:
                    time.sleep(0.0005)
                if process.poll() is not None:
                    break
                process.send_signal(signal.SIGKILL)
                kills += 1
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout.splitlines()[-1])["stuck"] == 0
        told = Counter(content["messages"][0]["breach_id"] for _, content in hook.got)
        keys: dict[str, set[str]] = {breach: set() for breach in told}
        for key, content in hook.got:
            keys[content["messages"][0]["breach_id"]].add(key)
        assert hook.wrong == []
    print(f"{kills} kills, {len(hook.got)} messages received of {BREACHES} breaches, {len(hook.got) - BREACHES} twice")
    assert kills == KILLS, "it was done before it was killed often enough"
    assert set(told) == {f"b{number}" for number in range(BREACHES)}
    assert all(len(found) == 1 for found in keys.values()), "told twice under another key"
    assert len(hook.got) - BREACHES <= kills
    with open_book(company.book) as book:
        assert book.unsent() == {}
        assert len(book.told()) == BREACHES
