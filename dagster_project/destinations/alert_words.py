"""What a message says: a title and plain text, the same for every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagster_project.destinations.alert_book import Message

_EVENTS = {
    "opened": "",
    "escalated": "nobody has taken it up: ",
    "resumed": "still so after its snooze: ",
    "resolved": "over: ",
    "withdrawn": "withdrawn: ",
}
_CLOSED = {
    "cleared": "The rule has not held any more for as long as it asks.",
    "not_known": "The value has not been known for so long that nobody can say.",
    "not_scored": "The account is no longer scored.",
}


def words_of(messages: Sequence[Message]) -> tuple[str, str]:
    """Title and text of what is sent as one: a message, or a digest. Its last line is the idempotency key."""
    if len(messages) == 1:
        title, lines = _one(messages[0])
    else:
        owner = messages[0].facts.get("owner") or "no owner"
        title = f"Customer health, {messages[0].day}: {len(messages)} messages for {_plain(owner)}"
        lines = []
        for message in messages:
            head, told = _one(message)
            lines += [head, *told, ""]
    return title, "\n".join([*lines, f"Reference {messages[0].bundle}"])


def _one(message: Message) -> tuple[str, list[str]]:
    if message.event == "mass_move":
        return _mass_move(message.facts)
    if message.event == "run_failed":
        return _failed_run(message)
    if message.event == "scores_late":
        return _late_scores(message)
    facts, event = message.facts, message.event.split()[0]
    title = f"[{facts['severity']}] {_plain(facts['account_name'])}: {_EVENTS[event]}{_plain(facts['title'])}"
    if event == "withdrawn":
        return title, ["Facts that came late show that it was not so. Nothing is to be done."]
    if event == "resolved":
        return title, [f"Closed on {facts['closed_on']}. {_CLOSED[facts['close_reason']]}", *_about(facts)]
    return title, [f"Open since {facts['opened_on']} ({message.rule}).", *_about(facts)]


def _about(facts: dict[str, Any]) -> list[str]:
    """The account in a few lines: score, what pulls it down, what changed, money, whom to ask, where to look."""
    lines = []
    if "band" in facts:
        score = f" at {float(facts['score']):.1f}" if "score" in facts else ""
        moved = f", {float(facts['trend_30d']):+.1f} points in 30 days" if "trend_30d" in facts else ""
        lines.append(f"Health: {facts['band'].replace('_', ' ')}{score}{moved}.")
    for name, words in (("drivers_down", "Pulls it down"), ("drivers_of_change", "What changed in 30 days")):
        if name in facts:
            lines.append(f"{words}: {_plain(facts[name])}.")
    arr = f"ARR {float(facts['arr']):,.0f} {facts.get('currency', '')}".strip() if "arr" in facts else ""
    renewal = f"renewal on {facts['renewal_on']}" if "renewal_on" in facts else ""
    owner = f"owner {_plain(facts['owner'])}" if "owner" in facts else ""
    told = "; ".join(filter(None, (arr, renewal, owner)))
    if told:
        lines.append(f"{told[0].upper()}{told[1:]}.")
    return [*lines, facts["link"]] if "link" in facts else lines


def _mass_move(facts: dict[str, Any]) -> tuple[str, list[str]]:
    moved = f"{facts['accounts_moved']} of {facts['accounts_scored']} accounts fell at once"
    return f"Customer health, {facts['day']}: {moved}", [
        "So many at once is a fault of the data or of a scorecard until somebody has looked at both.",
        f"{facts['waiting']} breaches of that day wait; nobody was told of them. If they are real, let them go:",
        f"health alerts release {facts['day']}",
    ]


def _failed_run(message: Message) -> tuple[str, list[str]]:
    return f"Customer health, {message.day}: a run failed", [
        f"It failed at: {message.facts['steps']}. The published mart is as it was before.",
        f"Why is in the Dagster UI under run {message.facts['run_id']}; docs/how-to/recover.md says what then.",
    ]


def _late_scores(message: Message) -> tuple[str, list[str]]:
    newest = message.facts["newest"]
    return f"Customer health, {message.day}: no new scores since {message.facts['published']}", [
        f"The published mart ends with {newest}." if newest else "The published mart holds no scores.",
        "No run has come through since then: is the machine on, and Dagster's daemon (health ui) running on it?",
    ]


def _plain(value: object) -> str:
    """One line of it."""
    return " ".join(str(value).split())
