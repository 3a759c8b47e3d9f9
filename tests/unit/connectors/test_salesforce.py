"""Salesforce's connector against a server on loopback that logs in and answers SOQL as it does, and then does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import providers
from dagster_project.http_client import ProviderError, WrongKeyError

QUERY, TOKEN = "/services/data/v62.0/queryAll", "/services/oauth2/token"
SESSION = "session_not_to_be_seen"


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class FakeSalesforce(Provider):
    """Two accounts a page, in the order of change; a page is known by its place."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, Any]] = {}
        self.found: list[dict[str, Any]] = []

    def told(self, path: str, query: dict[str, str]) -> Answer:
        sent = self.asked[-1][2].get("Authorization", "")
        if path == TOKEN:
            assert sent.startswith("Basic ")
            return Answer({"access_token": SESSION, "instance_url": self.url})
        assert sent == f"Bearer {SESSION}"
        if "count()" in query.get("q", ""):
            return Answer({"totalSize": len(self.held), "records": []})
        start = 0
        if path == QUERY:
            asked = re.fullmatch(
                r"select ([\w., ]+) from Account where SystemModstamp >= (\S+) order by SystemModstamp, Id", query["q"]
            )
            assert asked
            since = datetime.fromisoformat(asked[2])
            every = sorted(self.held.values(), key=lambda one: (one["SystemModstamp"], one["Id"]))
            self.found = [one for one in every if datetime.fromisoformat(one["SystemModstamp"]) >= since]
        else:
            start = int(path.rpartition("-")[2])
        more = {"nextRecordsUrl": f"/services/data/v62.0/query/01g-{start + 2}"} if len(self.found) > start + 2 else {}
        return Answer({"totalSize": len(self.found), "records": self.found[start : start + 2], **more})

    def put(self, one: str, seconds: int, **fields: Any) -> None:
        created = self.held.get(one, {}).get("CreatedDate", at(seconds))
        self.held[one] = {
            "attributes": {"type": "Account", "url": "x"}, "Id": one, "CreatedDate": created, "IsDeleted": False,
            "SystemModstamp": at(seconds), "Website": f"https://www.Org{one}.example/about", "Type": "Customer",
            "AnnualRevenue": 1500.5, "Renewal__c": "2026-09-30", "Owner": {"attributes": {}, "Name": "Dana Ruiz"},
            "Phone": "555-JANE", **fields,
        }  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeSalesforce]:
    with served(FakeSalesforce()) as started:
        assert isinstance(started, FakeSalesforce)
        for number in range(5):
            started.put(f"00{number}", NOW - 90_000 + 10 * number)
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeSalesforce, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    made = ApiCompany(tmp_path, "salesforce", server, match={"by": ["external_id"], "external_id": "Id"})
    del made.source["api_key"]
    made.source |= {"client_id": "env:PROVIDER_KEY", "client_secret": "env:PROVIDER_KEY"}
    made.source["accounts"] = {
        "arr": "AnnualRevenue", "renewal_on": "Renewal__c", "owner": "Owner.Name", "only": {"Type": ["Customer"]},
    }  # fmt: skip
    yield made
    made.con.close()


def test_the_first_load_reads_everything_once(company: ApiCompany, server: FakeSalesforce) -> None:
    server.put("004", NOW - 80_000, Type="Prospect")
    assert company.load().by_table == {"accounts": 5}
    columns = "id, is_account, account_id, account_arr, account_renewal_on::varchar, account_owner, account_domain"
    assert company.rows(f"select {columns} from raw_salesforce.accounts where id in ('000', '004') order by id") == [
        ("000", True, "000", Decimal("1500.5"), "2026-09-30", "Dana Ruiz", "org000.example"),
        ("004", False, "004", Decimal("1500.5"), "2026-09-30", "Dana Ruiz", "org004.example"),
    ]
    assert company.rows("select created_at::varchar from raw_salesforce.accounts where id = '000'") == [
        ("2026-05-27 19:26:40",)
    ]
    for secret in ("JANE", KEY, SESSION):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeSalesforce) -> None:
    company.load()
    server.put("003", NOW + 60, IsDeleted=True)
    assert company.load(LATE, NOW + 7200).by_table == {"accounts": 1}
    assert "SystemModstamp >= 2026-05-27T18:27:20Z" in server.asked[1][1]["q"], "an hour of look-back"
    assert company.rows("select is_deleted from raw_salesforce.accounts where id = '003' order by _seq") == [
        (False,), (True,)
    ]  # fmt: skip


def test_an_account_that_changed_only_where_nobody_reads_brings_no_row(
    company: ApiCompany, server: FakeSalesforce
) -> None:
    """What is written back to Salesforce comes back as a change of every account, each day."""
    company.load()
    server.put("003", NOW + 60, Health__c=41.5)
    landed = company.load(LATE, NOW + 7200)
    assert (landed.received > 0, landed.new) == (True, 0)


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeSalesforce) -> None:
    server.break_at = {number: Answer({}, status=503) for number in range(3, 30)}
    with pytest.raises(ProviderError, match=r"failed 6 times"):
        company.load()
    server.break_at = {}
    company.load(LATE, NOW + 60)
    assert "SystemModstamp >= 2026-05-27T18:26:50Z" in server.asked[1][1]["q"]
    assert company.rows("select count(*), count(distinct id) from raw_salesforce.accounts") == [(5, 5)]


def test_a_page_that_comes_again_ends_with_an_error(company: ApiCompany, server: FakeSalesforce) -> None:
    stuck = {"records": [server.held["000"]], "nextRecordsUrl": "/services/data/v62.0/query/01g-2"}
    server.break_at = dict.fromkeys(range(2, 9), Answer(stuck))
    with pytest.raises(ProviderError, match="would never end"):
        company.load()


def test_the_next_page_is_asked_of_no_other_server(company: ApiCompany, server: FakeSalesforce) -> None:
    away = {"records": [server.held["000"]], "nextRecordsUrl": "https://elsewhere.example/query/01g-2"}
    server.break_at = {2: Answer(away)}
    with pytest.raises(ProviderError, match="said to be on another server"):
        company.load()


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakeSalesforce, status: int) -> None:
    server.break_at = {1: Answer({"error": "invalid_client"}, status=status)}
    with pytest.raises(WrongKeyError, match=r"Check PROVIDER_KEY and PROVIDER_KEY: they have to be those of") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_field_that_salesforce_does_not_know_is_said_so(company: ApiCompany, server: FakeSalesforce) -> None:
    server.break_at = {2: Answer([{"errorCode": "INVALID_FIELD"}], status=400)}
    with pytest.raises(ProviderError, match=r"does not know a field that pipeline.yml names .*Renewal__c"):
        company.load()


def test_a_probe(company: ApiCompany) -> None:
    assert providers.probe_provider(company.settings, "salesforce") == "the key is good, there are 5 accounts"
