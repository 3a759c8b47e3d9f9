"""Typeform into `raw_typeform.responses`: of each form the one answer that is a score, and what tells whose it is.

Responses come newest first, page by page back to a time; they never change. A load that was cut off goes on at its
page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, matching, number, text, time, whole
from dagster_project.http_client import Bearer, Client, ProviderError, walk
from dagster_project.provider_settings import TypeformForm, TypeformSource, key_of

PERMISSIONS = "a personal access token with the scope responses:read"
PAGE = 1000  # the most that Typeform gives
_SCALES = {"nps": 10, "ces": 7, "csat": 5}  # where config names none


def tables(source: TypeformSource) -> tuple[RawTable, ...]:
    """The raw table. No other answers are stored, and of hidden fields only those that config names."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "responses",
            ("id", "form_id", "submitted_at", "kind", "scale", "score", "respondent", "email_domain", *matched_by),
            {
                "id": text("id"),
                "form_id": text("form_id"),
                "submitted_at": time("submitted_at"),
                "kind": text("kind"),
                "scale": whole("scale"),
                "score": number("score"),
                "respondent": text("respondent"),
                "email_domain": text("email_domain"),
                **match,
            },
            opens="survey_responses",
            created="submitted_at",
            changes=False,
            judged_by=repr((source.forms, source.user_id, source.email)),
        ),
    )


def client(source: TypeformSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "typeform",
        source.url,
        Bearer(key_of(source.api_key, environ)),
        wrong_key=f"Check the token in {variable}: it has to be {PERMISSIONS}; accounts in the EU have their own `url`",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    count = api.get("/forms", {"page_size": "1"}).get("total_items")
    return f"the key is good, there are {count} forms"


def pull(api: Client, source: TypeformSource, state: State, now: int) -> Iterator[Batch]:
    """What was answered since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    for form_id, form in source.forms.items():
        place = state.get(form_id) or {"since": 0}
        if "until" not in place:  # a new walk; else one that was cut off goes on
            place = {"since": max(place["since"] - source.look_back_minutes * 60, 0), "until": now, "before": None}
        for items, before in _pages(api, form_id, place["since"], place["before"]):
            reached = {**place, "before": before} if before else {"since": place["until"]}
            state = {**state, form_id: reached}
            records = [_record(one, form_id, form, source) for one in items]
            yield Batch("responses", records, f"/forms/{form_id}/responses", state)


def _pages(
    api: Client, form_id: str, since: int, start: str | None
) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    path = f"/forms/{form_id}/responses"
    told = {"since": datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S")} if since else {}

    def fetch(before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        asked = {"page_size": str(PAGE), **told, **({"before": before} if before else {})}
        items = api.get(path, asked).get("items")
        if not isinstance(items, list) or not all(isinstance(one, dict) and one.get("token") for one in items):
            raise ProviderError(f"typeform: {path} answered without a list of responses in `items`; check `url`")
        return items, items[-1]["token"] if len(items) >= PAGE else None

    return walk(f"typeform: {path}", start, fetch)


def _record(item: dict[str, Any], form_id: str, form: TypeformForm, source: TypeformSource) -> dict[str, Any]:
    """What is kept of a response: the answer to the question that config names, if it is a number."""
    answers = [one for one in item.get("answers") or () if isinstance(one, dict)]
    fields = [(one.get("field") or {}, one.get("number")) for one in answers]
    score = next((value for field, value in fields if form.score in (field.get("ref"), field.get("id"))), None)
    hidden = item.get("hidden")
    return {
        "id": item["token"],
        "form_id": form_id,
        "submitted_at": item.get("submitted_at"),
        "kind": form.kind,
        "scale": form.scale or _SCALES[form.kind],
        "score": score,
        "hidden": hidden,
        "respondent": _hidden(hidden, source.user_id),
        "email_domain": email_domain(_hidden(hidden, source.email)),
    }


def _hidden(hidden: Any, path: str | None) -> Any:
    return hidden.get(path.removeprefix("hidden.")) if isinstance(hidden, dict) and path else None
