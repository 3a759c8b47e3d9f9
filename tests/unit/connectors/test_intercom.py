"""Intercom's connector against a server on loopback that behaves as its searches and scroll do, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import intercom, providers
from dagster_project.http_client import ProviderError, WrongKeyError

DAY = 86_400


class FakeIntercom(Provider):
    """Two companies a page of the scroll; a search finds what changed after the day it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, dict[str, Any]]] = {"companies": {}, "contacts": {}, "conversations": {}}
        self.place = 0

    def told(self, path: str, query: dict[str, str]) -> Answer:
        kind = path.split("/")[1]
        records = list(self.held[kind].values())
        if path == "/companies/scroll":
            self.place = self.place + 2 if "scroll_param" in query else 0
            return Answer({"data": records[self.place : self.place + 2], "scroll_param": "same-each-time"})
        body = self.bodies[-1]
        assert body["query"]["field"] == "updated_at" and body["query"]["operator"] == ">"
        found = [one for one in records if one["updated_at"] // DAY > body["query"]["value"] // DAY]
        start, size = int(body["pagination"].get("starting_after", "0")), body["pagination"]["per_page"]
        more = {"next": {"starting_after": str(start + size)}} if start + size < len(found) else {}
        name = "data" if kind == "contacts" else kind
        return Answer({name: found[start : start + size], "pages": more, "total_count": len(found)})

    def put(self, kind: str, one: str, at: int, **fields: Any) -> None:
        self.held[kind][one] = {"id": one, "created_at": NOW - 3 * DAY, **self.held[kind].get(one, {}),
                                "updated_at": at, **fields}  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeIntercom]:
    with served(FakeIntercom()) as started:
        assert isinstance(started, FakeIntercom)
        for number in range(5):
            at = NOW - 2 * DAY + number
            started.put("companies", f"c{number}", at, company_id=f"A{number}", name="Jane & Co")
            started.put("contacts", f"p{number}", at, email=f"jane@Org{number}.example", name="Jane Roe",
                        companies={"data": [{"id": f"c{number}"}]})  # fmt: skip
            started.put("conversations", f"t{number}", at, state="open", priority="priority", title="Jane asks",
                        source={"body": "my password is x"}, contacts={"contacts": [{"id": f"p{number}"}]},
                        statistics={"first_admin_reply_at": at, "count_reopens": 0},
                        conversation_rating={"rating": 4, "remark": "rude", "created_at": at})  # fmt: skip
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeIntercom, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(intercom, "question", _two_a_page(intercom.question))
    made = ApiCompany(tmp_path, "intercom", server)
    yield made
    made.con.close()


def _two_a_page(asked: Any) -> Any:
    def small(since: int, size: int = 2, after: str | None = None) -> Any:
        return asked(since, size, after)

    return small


def test_the_first_load_reads_everything_once(company: ApiCompany, server: FakeIntercom) -> None:
    company.source["match"] = {"by": ["external_id"], "external_id": "company_id"}
    assert company.load().by_table == {"companies": 5, "contacts": 5, "conversations": 5}
    assert company.rows("select id, external_id from raw_intercom.companies order by id limit 1") == [("c0", "A0")]
    assert company.rows("select id, company_id, email_domain from raw_intercom.contacts order by id limit 1") == [
        ("p0", "c0", "org0.example")
    ]
    columns = "id, contact_id, state, priority, rating, rated_at, first_replied_at, reopens"
    at = datetime(2026, 5, 26, 20, 26, 40)
    assert company.rows(f"select {columns} from raw_intercom.conversations order by id limit 1") == [
        ("t0", "p0", "open", "priority", 4, at, at, 0)
    ]
    assert server.asked[0][2]["Intercom-Version"] == intercom.VERSION


def test_what_nobody_needs_is_not_stored(company: ApiCompany) -> None:
    company.load()
    for secret in ("Jane", "jane", "password", "rude", KEY):
        assert secret not in company.stored()


def test_the_second_load_searches_only_for_what_has_changed(company: ApiCompany, server: FakeIntercom) -> None:
    company.load()
    server.put("conversations", "t3", NOW + 100, state="closed")
    server.put("contacts", "p9", NOW + 100, email=None)
    landed = company.load(LATE, NOW + DAY)
    assert landed.by_table == {"companies": 0, "contacts": 1, "conversations": 1}
    assert {body["query"]["value"] for body in server.bodies} == {NOW - 2 * DAY}, "two days of look-back"


def test_what_a_search_finds_late_around_midnight_is_not_missed(company: ApiCompany, server: FakeIntercom) -> None:
    midnight = NOW - NOW % DAY
    company.load(now=midnight + 60)
    server.put("contacts", "p9", midnight - 60)  # was there a minute before that load, but not to be found yet
    assert company.load(LATE, midnight + DAY + 60).by_table["contacts"] == 1


def test_a_search_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeIntercom) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(10, 30)}  # the third page of conversations
    with pytest.raises(ProviderError, match=r"/conversations/search failed 6 times"):
        company.load()
    server.break_at = {}
    company.load(LATE, NOW + 60)
    asked = [body for body, path in zip(server.bodies, server.paths()[-len(server.bodies) :], strict=True)
             if path == "/conversations/search"]  # fmt: skip
    assert [body["pagination"].get("starting_after") for body in asked] == ["4"]
    for kind in ("companies", "contacts", "conversations"):
        assert company.rows(f"select count(*), count(distinct id) from raw_intercom.{kind}") == [(5, 5)]
    company.load(LATE, NOW + DAY)
    assert server.bodies[-1]["query"]["value"] == NOW - 2 * DAY, "the next search begins where that one had begun"


def test_a_scroll_and_a_cursor_that_do_not_move_end_with_an_error(company: ApiCompany, server: FakeIntercom) -> None:
    page = Answer({"data": [{"id": "c1"}], "scroll_param": "x"})
    server.break_at = dict.fromkeys(range(1, 9), page)
    with pytest.raises(ProviderError, match=r"/companies/scroll: the same page came twice"):
        company.load()
    circle = Answer({"data": [{"id": "p1"}], "pages": {"next": {"starting_after": "2"}}})
    server.break_at = {1: Answer({"data": []}), **dict.fromkeys(range(2, 9), circle)}
    with pytest.raises(ProviderError, match=r"/contacts/search: the .*would never end"):
        company.load()


def test_a_wrong_key_says_what_it_may_be(company: ApiCompany, server: FakeIntercom) -> None:
    server.break_at = {1: Answer({"type": "error.list"}, status=401)}
    with pytest.raises(WrongKeyError, match=r"token in PROVIDER_KEY: it has to be an access token .*`url`") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe_counts(company: ApiCompany) -> None:
    assert providers.probe_provider(company.settings, "intercom") == "the token is good, there are 5 conversations"
