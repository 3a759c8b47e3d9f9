"""HubSpot's connector against a server on loopback that behaves as its lists and searches do, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from api_company import EARLY, KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import hubspot, providers
from dagster_project.http_client import ProviderError, WrongKeyError

COMPANIES, FEEDBACK = "/crm/v3/objects/companies", "/crm/v3/objects/feedback_submissions"


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FakeHubspot(Provider):
    """Objects of both kinds; a search orders by last change, and gives only the properties asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, dict[str, Any]]] = {COMPANIES: {}, FEEDBACK: {}}

    def put(self, path: str, one: str, seconds: float, company: str | None = None, **properties: Any) -> None:
        held = self.held[path].get(one, {"id": one, "createdAt": iso(seconds), "properties": {}})
        held = {**held, "updatedAt": iso(seconds), "archived": False,
                "properties": {**held["properties"], "hs_object_id": one, "hs_lastmodifieddate": iso(seconds),
                               **properties}}  # fmt: skip
        if company:
            held["associations"] = {"companies": {"results": [{"id": company, "type": "feedback_to_company"}]}}
        self.held[path][one] = held

    def told(self, path: str, query: dict[str, str]) -> Answer:
        if path.endswith("/search"):
            return self._searched(path.removesuffix("/search"), self.bodies[-1])
        if path in self.held:
            return self._page([*self.held[path].values()], int(query.get("after", "0")), int(query["limit"]))
        found = self.held[FEEDBACK].get(path.rpartition("/")[2])
        return Answer(found) if found else Answer({}, status=404)

    def _searched(self, path: str, body: dict[str, Any]) -> Answer:
        assert set(body) == {"after", "filterGroups", "limit", "properties", "sorts"}
        since = int(body["filterGroups"][0]["filters"][0]["value"]) / 1000
        changed = sorted(self.held[path].values(), key=lambda one: one["updatedAt"])
        found = [
            {"id": one["id"], "createdAt": one["createdAt"], "updatedAt": one["updatedAt"], "archived": False,
             "properties": {name: one["properties"].get(name) for name in body["properties"]}}
            for one in changed if one["updatedAt"] >= iso(since)
        ]  # fmt: skip
        return self._page(found, int(body["after"]), body["limit"])

    def _page(self, found: list[dict[str, Any]], start: int, size: int) -> Answer:
        more = {"paging": {"next": {"after": str(start + size)}}} if start + size < len(found) else {}
        return Answer({"results": found[start : start + size], **more})


@pytest.fixture
def server() -> Iterator[FakeHubspot]:
    with served(FakeHubspot()) as started:
        assert isinstance(started, FakeHubspot)
        for number in range(5):
            started.put(COMPANIES, str(number), NOW - 90_000 + number, domain=f"Org{number}.example", name="Jane & Co",
                        lifecyclestage="customer", hubspot_owner_id="7", account_no=f"A{number}")  # fmt: skip
        for number in range(3):
            told = {"hs_survey_type": "NPS", "hs_value": "9", "hs_contact_id": "77", "hs_content": "Jane was rude"}
            when = {"hs_submission_timestamp": iso(NOW - 85_000)}
            started.put(FEEDBACK, f"f{number}", NOW - 80_000 + number, company="1", **told, **when)
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeHubspot, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(hubspot, "PAGE", 2)
    made = ApiCompany(tmp_path, "hubspot", server)
    yield made
    made.con.close()


def test_the_first_load_reads_everything_once(company: ApiCompany, server: FakeHubspot) -> None:
    company.source["match"] = {"by": ["external_id"], "external_id": "account_no"}
    assert company.load().by_table == {"companies": 5, "feedback_submissions": 3}
    columns = "id, external_id, email_domain, is_account, account_id"
    assert company.rows(f"select {columns} from raw_hubspot.companies order by id limit 1") == [
        ("0", "A0", "Org0.example", None, None)
    ]
    columns = "id, company_id, contact_id, survey_type, value, csat_scale, submitted_at"
    assert company.rows(f"select {columns} from raw_hubspot.feedback_submissions order by id limit 1") == [
        ("f0", "1", "77", "NPS", 9, 3, datetime(2026, 5, 27, 20, 50))
    ]
    assert server.asked[0][2]["Authorization"] == f"Bearer {KEY}"


def test_what_nobody_needs_is_neither_asked_for_nor_stored(company: ApiCompany, server: FakeHubspot) -> None:
    company.load()
    assert {name for body in server.bodies for name in body["properties"]} == {
        "domain", "hs_lastmodifieddate"
    }  # fmt: skip
    for secret in ("Jane", "rude", KEY):
        assert secret not in company.stored()


def test_companies_are_accounts_where_config_says_so(company: ApiCompany, server: FakeHubspot) -> None:
    company.source["accounts"] = {
        "account_id": "account_no", "arr": "annualrevenue", "renewal_on": "renewal_date", "owner": "hubspot_owner_id",
        "only": {"lifecyclestage": ["customer", "evangelist"]},
    }  # fmt: skip
    server.put(COMPANIES, "1", NOW - 80_000, annualrevenue="54000.5", renewal_date="2026-09-30")
    server.put(COMPANIES, "2", NOW - 80_000, lifecyclestage="lead")
    server.put(COMPANIES, "3", NOW - 80_000, account_no="  ")
    company.load()
    columns = "id, is_account, account_id, account_arr, account_renewal_on::varchar, account_owner, account_segment"
    assert company.rows(f"select {columns} from raw_hubspot.companies where id in ('1', '2', '3') order by id") == [
        ("1", True, "A1", Decimal("54000.5"), "2026-09-30", "7", None),
        ("2", False, "A2", None, None, "7", None),
        ("3", False, "  ", None, None, "7", None),
    ]
    assert "account_no" in server.bodies[0]["properties"]
    assert "lifecyclestage" in server.bodies[0]["properties"]


def test_who_is_a_customer_is_judged_again_when_config_changes(company: ApiCompany, server: FakeHubspot) -> None:
    company.source["accounts"] = {}
    company.load()
    assert company.rows("select count(*) from raw_hubspot.companies where is_account") == [(5,)]
    assert company.rows("select account_id from raw_hubspot.companies order by id limit 1") == [("0",)]
    company.source["accounts"] = {"account_id": "account_no", "only": {"lifecyclestage": ["nobody"]}}
    company.load(LATE, NOW + 60)
    newest = "select * from raw_hubspot.companies qualify row_number() over (partition by id order by _seq desc) = 1"
    assert company.rows(f"select count(*), bool_or(is_account) from ({newest})") == [(5, False)]


def test_a_field_that_config_keeps_is_asked_for(company: ApiCompany, server: FakeHubspot) -> None:
    company.source["keep"] = {"companies": ["properties.account_no"]}
    company.load()
    assert "account_no" in server.bodies[0]["properties"]
    assert "A3" in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeHubspot) -> None:
    company.load()
    server.put(COMPANIES, "3", NOW + 50, domain="other.example")
    server.put(FEEDBACK, "f9", NOW + 60, company="2", hs_survey_type="CES", hs_value="6")
    server.put(FEEDBACK, "f1", NOW + 61, company="2")
    landed = company.load(LATE, NOW + 7200)
    assert landed.by_table == {"companies": 1, "feedback_submissions": 2}
    starts = [body["filterGroups"][0]["filters"][0]["value"] for body in server.bodies]
    assert starts[0] == str((NOW - 90_000 + 4 - 3600) * 1000), "an hour of look-back"
    assert starts[-1] == str((NOW - 3600) * 1000)
    assert FEEDBACK not in server.paths(), "the list is not read again"
    assert company.rows("select company_id from raw_hubspot.feedback_submissions where id = 'f1' order by _seq") == [
        ("1",), ("2",)
    ]  # fmt: skip


def test_a_company_that_changed_only_where_nobody_reads_brings_no_row(company: ApiCompany, server: FakeHubspot) -> None:
    """What is written back to HubSpot comes back as a change of every company, each day."""
    company.load()
    server.put(COMPANIES, "3", NOW + 50, health_score="41.5")
    landed = company.load(LATE, NOW + 7200)
    assert (landed.received > 0, landed.new) == (True, 0)


def test_a_search_goes_on_where_hubspot_ends_it(
    company: ApiCompany, server: FakeHubspot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubspot, "SEARCH_ENDS", 4)
    for number in range(5, 12):
        server.put(COMPANIES, str(number), NOW - 80_000 + number)
    assert company.load().by_table["companies"] == 12
    assert company.rows("select count(*), count(distinct id) from raw_hubspot.companies") == [(12, 12)]
    assert max(int(body["after"]) for body in server.bodies) == 2


def test_too_many_changes_of_one_moment_end_with_an_error(
    company: ApiCompany, server: FakeHubspot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubspot, "SEARCH_ENDS", 4)
    for number in range(20):
        server.put(COMPANIES, str(number), NOW - 80_000)
    with pytest.raises(ProviderError, match="changes of one moment"):
        company.load()


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeHubspot) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(5, 30)}  # the second page of the list
    with pytest.raises(ProviderError, match=r"feedback_submissions failed 6 times"):
        company.load()
    server.break_at = {}
    company.load()
    assert [query.get("after") for path, query, _ in server.asked if path == FEEDBACK] == ["2"]
    assert company.rows("select count(*), count(distinct id) from raw_hubspot.feedback_submissions") == [(3, 3)]


def test_a_submission_that_is_gone_is_noted(company: ApiCompany, server: FakeHubspot) -> None:
    company.load()
    server.put(FEEDBACK, "f1", NOW + 61)
    known = server.told

    def gone(path: str, query: dict[str, str]) -> Answer:
        return Answer({}, status=404) if path == f"{FEEDBACK}/f1" else known(path, query)

    server.told = gone  # type: ignore[method-assign]
    company.load(LATE, NOW + 7200)
    assert company.rows("select is_deleted from raw_hubspot.feedback_submissions where id = 'f1' order by _seq") == [
        (False,), (True,)
    ]  # fmt: skip


def test_a_cursor_that_does_not_move_ends_with_an_error(company: ApiCompany, server: FakeHubspot) -> None:
    server.break_at = dict.fromkeys(range(1, 9), Answer({"results": [], "paging": {"next": {"after": "0"}}}))
    with pytest.raises(ProviderError, match="would never end"):
        company.load()


def test_a_wrong_key_says_which_scopes_it_needs(company: ApiCompany, server: FakeHubspot) -> None:
    server.break_at = {1: Answer({"message": "no"}, status=403)}
    with pytest.raises(
        WrongKeyError, match=r"PROVIDER_KEY: its private app needs .*companies.read and .*feedback"
    ) as error:
        company.load(EARLY, NOW)
    assert KEY not in str(error.value)


def test_a_probe_says_whether_there_are_companies(company: ApiCompany, server: FakeHubspot) -> None:
    assert providers.probe_provider(company.settings, "hubspot") == "the key is good, there are companies"
    server.held[COMPANIES].clear()
    assert providers.probe_provider(company.settings, "hubspot") == "the key is good, there are no companies yet"
