"""Typeform's connector against a server on loopback that behaves as its list of responses does, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import providers, typeform
from dagster_project.http_client import ProviderError, WrongKeyError

PATH = "/forms/a1B2/responses"


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeTypeform(Provider):
    """Newest first; a page is what lies before a token."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[dict[str, Any]] = []

    def told(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/forms":
            return Answer({"total_items": 1, "items": []})
        assert path == PATH
        found = sorted(self.held, key=lambda one: one["submitted_at"], reverse=True)
        found = [one for one in found if one["submitted_at"] >= query.get("since", "")]
        tokens = [one["token"] for one in found]
        start = tokens.index(query["before"]) + 1 if "before" in query else 0
        return Answer({"total_items": len(found), "items": found[start : start + int(query["page_size"])]})

    def put(self, token: str, seconds: int, score: Any = 9, **hidden: Any) -> None:
        answers = [
            {"field": {"id": "x", "ref": "why", "type": "long_text"}, "type": "text", "text": "Jane was rude"},
            {"field": {"id": "y", "ref": "recommend", "type": "nps"}, "type": "number", "number": score},
        ]
        hidden = {"account_id": "A1", "email": "jane@Org.example", "note": "calls at night", **hidden}
        self.held.append({"token": token, "submitted_at": at(seconds), "hidden": hidden, "answers": answers})


@pytest.fixture
def server() -> Iterator[FakeTypeform]:
    with served(FakeTypeform()) as started:
        assert isinstance(started, FakeTypeform)
        for number in range(5):
            started.put(f"t{number}", NOW - 90_000 + number, user=f"u{number}")
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeTypeform, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(typeform, "PAGE", 2)
    made = ApiCompany(
        tmp_path, "typeform", server, match={"by": ["external_id"], "external_id": "hidden.account_id"},
        forms={"a1B2": {"kind": "nps", "score": "recommend"}}, user_id="hidden.user", email="hidden.email",
    )  # fmt: skip
    yield made
    made.con.close()


def test_the_first_load_reads_the_score_and_nothing_else(company: ApiCompany, server: FakeTypeform) -> None:
    assert company.load().by_table == {"responses": 5}
    columns = "id, submitted_at::varchar, kind, scale, score, respondent, external_id, email_domain"
    assert company.rows(f"select {columns} from raw_typeform.responses order by id limit 1") == [
        ("t0", "2026-05-27 19:26:40", "nps", 10, 9, "u0", "A1", "org.example")
    ]
    for secret in ("Jane", "jane", "rude", "night", KEY):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_was_answered_since(company: ApiCompany, server: FakeTypeform) -> None:
    company.load()
    server.put("new", NOW - 600, score=2)  # shown late
    assert company.load(LATE, NOW + 7200).by_table == {"responses": 1}
    assert {query["since"] for _, query, _ in server.asked} == {at(NOW - 3600).removesuffix("Z")}


def test_an_answer_that_is_no_number_has_no_score(company: ApiCompany, server: FakeTypeform) -> None:
    server.put("odd", NOW - 80, score=None)
    server.held[-1]["answers"].pop()
    company.load()
    assert company.rows("select score from raw_typeform.responses where id = 'odd'") == [(None,)]


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeTypeform) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(2, 30)}
    with pytest.raises(ProviderError, match=r"responses failed 6 times"):
        company.load()
    server.break_at = {}
    server.put("meanwhile", NOW + 10)
    company.load(LATE, NOW + 60)
    assert [query.get("before") for _, query, _ in server.asked] == ["t3", "t1"]
    assert company.load(LATE, NOW + 120).by_table == {"responses": 1}, "what came meanwhile comes with the next load"
    assert company.rows("select count(*), count(distinct id) from raw_typeform.responses") == [(6, 6)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"items": [{"token": "a"}, {"token": "b"}]}, "would never end"),
        ({"items": [{"id": "a"}]}, "without a list of responses"),
    ],
)
def test_an_answer_that_is_none_ends_with_an_error(
    company: ApiCompany, server: FakeTypeform, answer: Any, said: str
) -> None:
    server.break_at = dict.fromkeys(range(1, 9), Answer(answer))
    with pytest.raises(ProviderError, match=said):
        company.load()


def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakeTypeform) -> None:
    server.break_at = {1: Answer({"code": "AUTHENTICATION_FAILED"}, status=403)}
    with pytest.raises(WrongKeyError, match=r"token in PROVIDER_KEY: it has to be a personal access token") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe(company: ApiCompany) -> None:
    assert providers.probe_provider(company.settings, "typeform") == "the key is good, there are 1 forms"
