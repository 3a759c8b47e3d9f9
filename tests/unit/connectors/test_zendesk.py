"""Zendesk's connector against a server on loopback that behaves as Zendesk's exports do, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_company import EARLY, KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import providers, zendesk
from dagster_project.http_client import ProviderError, WrongKeyError

PAGE = 2


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeZendesk(Provider):
    """Two objects a page; `changes` of tickets in order, the cursor is a place in them."""

    def __init__(self) -> None:
        super().__init__()
        self.organizations: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = []
        self.ratings: list[dict[str, Any]] = []
        self.metrics_beside = False

    def told(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/api/v2/organizations/count":
            return Answer({"count": {"value": len(self.organizations)}})
        if path == "/api/v2/incremental/organizations":
            held = [one for one in self.organizations if one["_at"] >= int(query["start_time"])]
            page = held[:PAGE]
            end = page[-1]["_at"] + 1 if page else None
            return Answer({"organizations": page, "end_time": end, "end_of_stream": len(held) <= PAGE})
        if path == "/api/v2/incremental/users/cursor":
            start = int(query["cursor"]) if "cursor" in query else int(query["start_time"]) - 1
            end = min(start + PAGE, len(self.users))
            stream = {"after_cursor": str(end), "end_of_stream": end == len(self.users)}
            return Answer({"users": self.users[start:end], **stream})
        if path == "/api/v2/incremental/tickets/cursor":
            assert query["include"] == "metric_sets"
            start = int(query["cursor"]) if "cursor" in query else 0
            page = self.changes[start : start + PAGE]
            beside = [{"ticket_id": one["id"], **one["metric_set"]} for one in page]
            tickets = [{**one, "metric_set": None} for one in page] if self.metrics_beside else page
            end = start + len(page)
            return Answer({"tickets": tickets, "metric_sets": beside if self.metrics_beside else None,
                           "after_cursor": str(end), "end_of_stream": end == len(self.changes)})  # fmt: skip
        held = [one for one in self.ratings if one["_at"] >= int(query["start_time"])]
        assert query["score"] == "received"
        start = int(query.get("page[after]", "0"))
        more = len(held) > start + PAGE
        return Answer({"satisfaction_ratings": held[start : start + PAGE],
                       "meta": {"has_more": more, "after_cursor": str(start + PAGE)}})  # fmt: skip

    def organization(self, number: int, seconds: int, **fields: Any) -> None:
        self.organizations.append(
            {"id": number, "_at": seconds, "name": "Jane & Co", "created_at": at(seconds), "updated_at": at(seconds),
             "domain_names": [f"Org{number}.example", "other.example"], "external_id": f"A{number}", **fields}
        )  # fmt: skip

    def ticket(self, number: int, seconds: int, **fields: Any) -> None:
        self.changes.append(
            {"id": number, "created_at": at(NOW - 90_000), "updated_at": at(seconds), "organization_id": 1,
             "status": "open", "priority": "high", "subject": "Jane cannot log in", "description": "my password is x",
             "satisfaction_rating": {"score": "offered", "comment": "rude"},
             "metric_set": {"reopens": 0, "solved_at": None, "reply_time_in_minutes": {"calendar": 12, "business": 3}},
             **fields}
        )  # fmt: skip

    def user(self, number: int, **fields: Any) -> None:
        self.users.append({"id": number, "created_at": at(NOW - 90_000), "updated_at": at(NOW - 90_000), "phone": "555",
                           "name": "Jane", "email": f"jane.{number}@Acme.example", **fields})  # fmt: skip

    def rating(self, number: int, ticket: int, seconds: int, score: str) -> None:
        self.ratings.append({"id": number, "_at": seconds, "ticket_id": ticket, "score": score, "comment": "rude",
                             "created_at": at(seconds), "updated_at": at(seconds)})  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeZendesk]:
    with served(FakeZendesk()) as started:
        assert isinstance(started, FakeZendesk)
        for number in range(1, 6):
            started.organization(number, NOW - 90_000 + number)
            started.ticket(number, NOW - 80_000 + number)
        started.rating(1, 2, NOW - 70_000, "good")
        started.user(1, organization_id=1)
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeZendesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setenv("PROVIDER_USER", "admin@acme.example")
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    made = ApiCompany(tmp_path, "zendesk", server, user="env:PROVIDER_USER")
    yield made
    made.con.close()


@pytest.mark.parametrize("beside", [False, True])
def test_the_first_load_reads_everything_once(company: ApiCompany, server: FakeZendesk, beside: bool) -> None:
    server.metrics_beside = beside
    landed = company.load()
    assert landed.by_table == {"organizations": 5, "users": 1, "tickets": 5, "satisfaction_ratings": 1}
    assert company.rows("select id, email_domain from raw_zendesk.organizations order by id limit 1") == [
        ("1", "org1.example")
    ]
    columns = "id, organization_id, status, priority, rating, first_response_minutes, reopens, solved_at, created_at"
    assert company.rows(f"select {columns} from raw_zendesk.tickets where id = '2'") == [
        ("2", "1", "open", "high", "offered", 12, 0, None, datetime(2026, 5, 27, 19, 26, 40))
    ]
    assert server.asked[0][2]["Authorization"].startswith("Basic ")


def test_what_nobody_needs_is_not_stored(company: ApiCompany) -> None:
    company.load()
    for secret in ("Jane", "jane.1", "555", "password", "rude", "other.example", KEY):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeZendesk) -> None:
    company.load()
    metrics = {"reopens": 1, "solved_at": at(NOW + 90), "reply_time_in_minutes": {"calendar": 12}}
    server.ticket(2, NOW + 100, status="solved", satisfaction_rating={"score": "good"}, metric_set=metrics)
    server.organization(6, NOW + 100)
    server.rating(2, 3, NOW + 100, "bad")
    for number in (2, 3, 1):
        server.user(number, organization_id=None)
    landed = company.load(LATE, NOW + 7200)
    assert landed.by_table == {"organizations": 1, "users": 3, "tickets": 1, "satisfaction_ratings": 1}
    asked = [(path.rpartition("/")[2], query) for path, query, _ in server.asked]
    assert asked[0] == ("organizations", {"start_time": str(NOW - 90_000 + 6 - 3600)}), "an hour of look-back"
    assert [query["cursor"] for name, query in asked if name == "cursor"] == ["1", "3", "5"], "users, tickets"
    newest = "select id, organization_id, email_domain from raw_zendesk.users where id = '1' order by _seq desc limit 1"
    assert company.rows(newest) == [("1", None, "acme.example")]
    assert asked[-1][1]["start_time"] == str(NOW - 3600)
    days = company.rows("select day::varchar from raw_meta.open_days where entity = 'tickets' and day > '2026-05-27'")
    assert sorted(days) == [("2026-05-28",), ("2026-05-29",)]  # solved on the 28th; told on the 29th


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeZendesk) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(6, 30)}  # the second page of tickets
    with pytest.raises(ProviderError, match=r"cursor failed 6 times.*status 500"):
        company.load()
    server.break_at = {}
    company.load()
    assert [query.get("cursor") for path, query, _ in server.asked if path.endswith("cursor")] == ["1", "2", "4"]
    for table, count in (("organizations", 5), ("tickets", 5), ("satisfaction_ratings", 1)):
        assert company.rows(f"select count(*), count(distinct id) from raw_zendesk.{table}") == [(count, count)]


def test_a_cursor_that_does_not_move_ends_with_an_error(company: ApiCompany, server: FakeZendesk) -> None:
    stuck = Answer({"tickets": [{"id": 1}], "after_cursor": "0", "end_of_stream": False})
    server.break_at = dict.fromkeys(range(5, 10), stuck)
    with pytest.raises(ProviderError, match="would never end"):
        company.load()
    assert len(server.asked) < 9


def test_a_wrong_key_says_whose_it_has_to_be(company: ApiCompany, server: FakeZendesk) -> None:
    server.break_at = {1: Answer({"error": "Couldn't authenticate you"}, status=401)}
    with pytest.raises(
        WrongKeyError, match=r"PROVIDER_USER and the key in PROVIDER_KEY: .* an admin's API token"
    ) as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe_counts(company: ApiCompany, server: FakeZendesk) -> None:
    assert providers.probe_provider(company.settings, "zendesk") == "the key is good, there are 5 organizations"


def test_something_else_than_an_export_is_refused(company: ApiCompany, server: FakeZendesk) -> None:
    server.break_at = {1: Answer({"organizations": None})}
    with pytest.raises(ProviderError, match="without a list of objects in `organizations`"):
        company.load()


def test_the_newest_minute_is_not_asked_for(company: ApiCompany, server: FakeZendesk) -> None:
    company.source["look_back_minutes"] = 2
    company.load(EARLY, NOW)
    company.load(LATE, NOW + 30)
    start = int(server.asked[0][1]["start_time"])
    assert start <= NOW + 30 - zendesk._NOT_YET
