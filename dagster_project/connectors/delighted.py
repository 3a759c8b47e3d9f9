"""Delighted into `raw_delighted.*`: answers to surveys, with who gave them.

A list of what was changed since a time, page by page in the order of creation; one cut off goes on at its page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, epoch, matching, number, text
from dagster_project.http_client import Basic, Client, walk
from dagster_project.provider_settings import DelightedSource, key_of

PERMISSIONS = "the API key of the project (Delighted, Settings, API)"
PAGE = 100  # the most that Delighted gives
_RESPONSES = "/v1/survey_responses.json"


def tables(source: DelightedSource) -> tuple[RawTable, ...]:
    """The raw table. Names, addresses, telephone numbers and comments are not stored; of an address only the domain."""
    matched_by, match = matching(source.match, within="person_properties.")
    return (
        RawTable(
            "survey_responses",
            ("id", "created_at", "updated_at", "survey_type", "score", "person.id", "email_domain", *matched_by),
            {
                "id": text("id"),
                "created_at": epoch("created_at"),
                "updated_at": epoch("updated_at"),
                "survey_type": text("survey_type"),
                "score": number("score"),
                "person_id": text("person.id"),
                "email_domain": text("email_domain"),
                **match,
            },
            opens="survey_responses",
        ),
    )


def client(source: DelightedSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "delighted",
        source.url,
        Basic(key_of(source.api_key, environ), ""),
        wrong_key=f"Check the key in {variable}: it has to be {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    found = api.get_list(_RESPONSES, {"per_page": "1"})
    return "the key is good, there are responses" if found else "the key is good, there are no responses yet"


def pull(api: Client, source: DelightedSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    place = state
    if "until" not in state:
        since = max(state.get("since", 0) - source.look_back_minutes * 60, 0)
        place = {"since": since, "until": now, "page": 1}

    def fetch(page: int | None) -> tuple[list[dict[str, Any]], int | None]:
        asked = {"per_page": str(PAGE), "page": str(page), "updated_since": str(place["since"]), "expand[]": "person"}
        records = api.get_list(_RESPONSES, asked)
        return records, int(page or 1) + 1 if len(records) >= PAGE else None

    for records, following in walk(f"delighted: {_RESPONSES}", place["page"], fetch):
        reached = {**place, "page": following} if following else {"since": place["until"]}
        yield Batch("survey_responses", [_with_domain(one) for one in records], _RESPONSES, reached)


def _with_domain(response: dict[str, Any]) -> dict[str, Any]:
    """With the domain of the person's address; the person may be told by id alone."""
    person = response.get("person")
    person = person if isinstance(person, dict) else {"id": person}
    return {**response, "person": person, "email_domain": email_domain(person.get("email"))}
