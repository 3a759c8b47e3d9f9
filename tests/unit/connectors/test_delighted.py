"""Delighted's connector against a server on loopback that behaves as its list does, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import delighted, providers
from dagster_project.http_client import ProviderError, WrongKeyError


class FakeDelighted(Provider):
    """Answers in the order of creation."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, Any]] = {}

    def told(self, path: str, query: dict[str, str]) -> Answer:
        assert path == "/v1/survey_responses.json"
        since = int(query.get("updated_since", "0"))
        found = [one for one in self.held.values() if (one["updated_at"] or one["created_at"]) >= since]
        size, page = int(query["per_page"]), int(query.get("page", "1"))
        return Answer(found[(page - 1) * size : page * size])

    def put(self, one: str, at: int, **fields: Any) -> None:
        created = self.held.get(one, {}).get("created_at", at)
        person = {"id": f"p{one}", "email": f"jane@Org{one}.example", "name": "Jane Roe"}
        self.held[one] = {
            "id": one, "person": person, "survey_type": "nps", "score": 9, "comment": "Jane was rude",
            "person_properties": {"customer_no": f"A{one}", "note": "calls at night"}, "created_at": created,
            "updated_at": at if created != at else None, **fields,
        }  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeDelighted]:
    with served(FakeDelighted()) as started:
        assert isinstance(started, FakeDelighted)
        for number in range(5):
            started.put(str(number), NOW - 90_000 + number)
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeDelighted, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(delighted, "PAGE", 2)
    made = ApiCompany(tmp_path, "delighted", server)
    yield made
    made.con.close()


def test_the_first_load_reads_everything_once_and_nothing_personal(company: ApiCompany, server: FakeDelighted) -> None:
    company.source["match"] = {"by": ["external_id"], "external_id": "customer_no"}
    assert company.load().by_table == {"survey_responses": 5}
    assert [query["page"] for _, query, _ in server.asked] == ["1", "2", "3"]
    columns = "id, person_id, external_id, email_domain, survey_type, score, created_at::varchar"
    assert company.rows(f"select {columns} from raw_delighted.survey_responses order by id limit 1") == [
        ("0", "p0", "A0", "org0.example", "nps", 9, "2026-05-27 19:26:40")
    ]
    for secret in ("Jane", "jane", "rude", "night", KEY):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeDelighted) -> None:
    company.load()
    server.put("3", NOW + 60, score=2)
    server.put("9", NOW + 61, person="p9")
    assert company.load(LATE, NOW + 7200).by_table == {"survey_responses": 2}
    assert {query["updated_since"] for _, query, _ in server.asked} == {str(NOW - 3600)}, "an hour of look-back"
    assert company.rows("select score from raw_delighted.survey_responses where id = '3' order by _seq") == [(9,), (2,)]


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeDelighted) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(2, 30)}
    with pytest.raises(ProviderError, match=r"survey_responses.json failed 6 times"):
        company.load()
    server.break_at = {}
    company.load(LATE, NOW + 60)
    assert [query["page"] for _, query, _ in server.asked] == ["2", "3"]
    assert company.rows("select count(*), count(distinct id) from raw_delighted.survey_responses") == [(5, 5)]
    company.load(LATE, NOW + 7200)
    assert server.asked[0][1]["updated_since"] == str(NOW - 3600), "from where the load that was cut off had begun"


def test_a_page_that_comes_again_ends_with_an_error(company: ApiCompany, server: FakeDelighted) -> None:
    server.break_at = dict.fromkeys(range(1, 9), Answer([{"id": "1"}, {"id": "2"}]))
    with pytest.raises(ProviderError, match="would never end"):
        company.load()


def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakeDelighted) -> None:
    server.break_at = {1: Answer({"status": 401}, status=401)}
    with pytest.raises(WrongKeyError, match=r"key in PROVIDER_KEY: it has to be the API key of the project") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe(company: ApiCompany, server: FakeDelighted) -> None:
    assert providers.probe_provider(company.settings, "delighted") == "the key is good, there are responses"
    server.held.clear()
    assert providers.probe_provider(company.settings, "delighted") == "the key is good, there are no responses yet"
