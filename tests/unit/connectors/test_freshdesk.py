"""Freshdesk's connector against a server on loopback that behaves as its lists do, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import freshdesk, providers
from dagster_project.http_client import ProviderError, WrongKeyError

TICKETS = "/api/v2/tickets"


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeFreshdesk(Provider):
    """Tickets in the order of their last change; `moves` are changed right after a request of tickets is answered.

    `discarded` are the tickets that only the filter `deleted` or `spam` lists.
    """

    def __init__(self) -> None:
        super().__init__()
        self.companies: list[dict[str, Any]] = []
        self.tickets: dict[int, dict[str, Any]] = {}
        self.discarded: dict[int, str] = {}
        self.refused: Answer | None = None  # in place of ratings
        self.ratings: list[dict[str, Any]] = []
        self.moves: list[tuple[int, int]] = []

    def told(self, path: str, query: dict[str, str]) -> Answer:
        size, page = int(query["per_page"]), int(query.get("page", "1"))
        if path == TICKETS:
            assert (query["include"], query["order_by"], query["order_type"]) == ("stats", "updated_at", "asc")
            held = sorted(self.tickets.values(), key=lambda one: (one["updated_at"], one["id"]))
            found = [one for one in held if one["updated_at"] >= query["updated_since"]]
            found = [one for one in found if self.discarded.get(one["id"]) == query.get("filter")]
        elif path == "/api/v2/companies":
            found = self.companies
        else:
            assert path == "/api/v2/surveys/satisfaction_ratings"
            if self.refused:
                return self.refused
            found = [one for one in self.ratings if one["created_at"] >= query["created_since"]]
        answer = Answer(list(found[(page - 1) * size : page * size]))
        if path == TICKETS and self.moves:
            self.ticket(*self.moves.pop(0))
        return answer

    def company(self, number: int) -> None:
        self.companies.append({"id": number, "name": "Jane & Co", "domains": [f"Org{number}.example", "b.example"],
                               "custom_fields": {"customer_no": f"A{number}", "note": "calls at night"},
                               "created_at": at(NOW - 99_000), "updated_at": at(NOW - 99_000)})  # fmt: skip

    def ticket(self, number: int, seconds: int, **fields: Any) -> None:
        self.tickets[number] = {
            "id": number, "company_id": 1, "status": 2, "priority": 3, "subject": "Jane cannot log in",
            "created_at": at(NOW - 90_000), "updated_at": at(seconds), "requester_id": 7,
            "stats": {"first_responded_at": at(NOW - 89_000), "resolved_at": None, "closed_at": None,
                      "reopened_at": None, "agent_responded_at": None}, **fields,
        }  # fmt: skip

    def rating(self, number: int, ticket: int, seconds: int, score: int) -> None:
        self.ratings.append({"id": number, "ticket_id": ticket, "ratings": {"default_question": score},
                             "feedback": "Jane was rude", "user_id": 7, "created_at": at(seconds),
                             "updated_at": at(seconds)})  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeFreshdesk]:
    with served(FakeFreshdesk()) as started:
        assert isinstance(started, FakeFreshdesk)
        started.company(1)
        for number in range(5):
            started.ticket(number, NOW - 80_000 + 10 * number)
        started.rating(1, 2, NOW - 70_000, 103)
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeFreshdesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(freshdesk, "PAGE", 3)
    match = {"by": ["external_id", "email_domain"], "external_id": "custom_fields.customer_no"}
    made = ApiCompany(tmp_path, "freshdesk", server, match=match)
    yield made
    made.con.close()


def tickets(company: ApiCompany) -> list[str]:
    return [one for (one,) in company.rows("select distinct id from raw_freshdesk.tickets order by id")]


def test_the_first_load_reads_everything_once_and_nothing_personal(company: ApiCompany, server: FakeFreshdesk) -> None:
    assert company.load().by_table == {"companies": 1, "tickets": 5, "satisfaction_ratings": 1}
    assert company.rows("select id, external_id, email_domain from raw_freshdesk.companies") == [
        ("1", "A1", "org1.example")
    ]
    columns = "company_id, status, priority, is_discarded, first_responded_at::varchar, resolved_at"
    assert company.rows(f"select {columns} from raw_freshdesk.tickets where id = '2'") == [
        ("1", 2, 3, False, "2026-05-27 19:43:20", None)
    ]
    assert company.rows("select ticket_id, rating from raw_freshdesk.satisfaction_ratings") == [("2", 103)]
    for secret in ("Jane", "rude", "night", KEY):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeFreshdesk) -> None:
    company.load()
    server.ticket(3, NOW + 60, status=4)
    server.rating(2, 3, NOW + 90, -103)
    assert company.load(LATE, NOW + 7200).by_table == {"companies": 0, "tickets": 1, "satisfaction_ratings": 1}
    asked = {path: query for path, query, _ in server.asked if "filter" not in query}
    assert asked[TICKETS]["updated_since"] >= at(NOW - 80_000 + 40 - 3600), "an hour of look-back, and no more"
    assert asked["/api/v2/surveys/satisfaction_ratings"]["created_since"] == at(NOW - 3600)


def test_a_ticket_that_changes_meanwhile_takes_no_other_with_it(company: ApiCompany, server: FakeFreshdesk) -> None:
    server.moves = [(0, NOW + 5)]  # the first of the first page goes to the end; the fourth would become the third
    company.load()
    assert tickets(company) == ["0", "1", "2", "3", "4"]


def test_more_tickets_of_one_second_than_a_page_holds(company: ApiCompany, server: FakeFreshdesk) -> None:
    for number in range(20, 30):
        server.ticket(number, NOW - 70_000)
    for number in range(30, 32):
        server.ticket(number, NOW - 69_999)
    server.ticket(32, NOW - 60_000)
    company.load()
    assert len(tickets(company)) == 18


def test_a_first_page_of_tickets_of_one_second(company: ApiCompany, server: FakeFreshdesk) -> None:
    for number in range(5):
        server.ticket(number, NOW - 80_000)
    server.ticket(5, NOW - 79_000)
    company.load()
    assert tickets(company) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("way", ["deleted", "spam"])
def test_a_ticket_that_is_thrown_away_is_told_and_may_come_back(
    company: ApiCompany, server: FakeFreshdesk, way: str
) -> None:
    company.load()
    server.discarded[3] = way
    server.ticket(3, NOW + 60)
    assert company.load(LATE, NOW + 7200).by_table["tickets"] == 1
    newest = "select is_discarded from raw_freshdesk.tickets where id = '3' order by _seq desc limit 1"
    assert company.rows(newest) == [(True,)]
    del server.discarded[3]
    server.ticket(3, NOW + 8000)
    company.load(LATE, NOW + 9000)
    assert company.rows(newest) == [(False,)]


def test_a_plan_without_surveys_has_no_ratings(company: ApiCompany, server: FakeFreshdesk) -> None:
    refused = {"code": "require_feature", "message": "The Surveys feature(s) is/are not supported in your plan."}
    server.refused = Answer(refused, status=403)
    assert company.load().by_table == {"companies": 1, "tickets": 5}


def test_an_agent_who_may_not_see_ratings_is_told_so(company: ApiCompany, server: FakeFreshdesk) -> None:
    server.refused = Answer({"code": "access_denied", "message": "You are not authorized"}, status=403)
    with pytest.raises(WrongKeyError, match=r"satisfaction_ratings was refused \(403\)"):
        company.load()


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeFreshdesk) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(4, 30)}
    with pytest.raises(ProviderError, match=r"tickets failed 6 times"):
        company.load()
    server.break_at = {}
    company.source["look_back_minutes"] = 1
    company.load(LATE, NOW + 60)
    assert next(query for path, query, _ in server.asked if path == TICKETS)["updated_since"] > at(NOW - 80_000 - 61)
    assert tickets(company) == ["0", "1", "2", "3", "4"]


def test_a_page_that_comes_again_ends_with_an_error(company: ApiCompany, server: FakeFreshdesk) -> None:
    stuck = [{"id": number, "updated_at": at(NOW - 80_000)} for number in range(3)]
    server.break_at = {number: Answer(stuck) for number in range(2, 20)}
    with pytest.raises(ProviderError, match="would never end"):
        company.load()


def test_a_ticket_without_a_time_is_said_so(company: ApiCompany, server: FakeFreshdesk) -> None:
    server.break_at = {2: Answer([{"id": number, "updated_at": None} for number in range(3)])}
    with pytest.raises(ProviderError, match="gave a ticket without the time of its last change"):
        company.load()


def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakeFreshdesk) -> None:
    server.break_at = {1: Answer({"code": "invalid_credentials"}, status=401)}
    with pytest.raises(WrongKeyError, match=r"key in PROVIDER_KEY: it has to be the API key of an agent") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe(company: ApiCompany, server: FakeFreshdesk) -> None:
    assert providers.probe_provider(company.settings, "freshdesk") == "the key is good, there are companies"
    server.companies.clear()
    assert providers.probe_provider(company.settings, "freshdesk") == "the key is good, there are no companies yet"
