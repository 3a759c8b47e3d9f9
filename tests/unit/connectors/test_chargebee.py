"""Chargebee's connector against a server on loopback that behaves as its lists do, and then does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_company import KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import chargebee, providers
from dagster_project.http_client import ProviderError, WrongKeyError

ENTRIES = {"customers": "customer", "subscriptions": "subscription", "invoices": "invoice"}


class FakeChargebee(Provider):
    """Lists in the order of change; an offset is a place in them."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in ENTRIES}

    def told(self, path: str, query: dict[str, str]) -> Answer:
        kind = path.removeprefix("/api/v2/")
        if query.keys() == {"limit"}:
            return Answer({"list": [{}] if self.held[kind] else []})
        assert (query["sort_by[asc]"], query["include_deleted"]) == ("updated_at", "true")
        found = sorted(self.held[kind].values(), key=lambda one: (one["updated_at"], one["id"]))
        since = int(query.get("updated_at[after]", "-1"))
        found = [one for one in found if one["updated_at"] > since]
        start, size = int(query.get("offset", "0")), int(query["limit"])
        more = {"next_offset": str(start + size)} if len(found) > start + size else {}
        page = [{ENTRIES[kind]: one, "card": {"last4": "4242"}} for one in found[start : start + size]]
        return Answer({"list": page, **more})

    def put(self, kind: str, one: str, at: int, **fields: Any) -> None:
        created = self.held[kind].get(one, {}).get("created_at", at)
        self.held[kind][one] = {
            "id": one, "created_at": created, "updated_at": at, "deleted": False, "first_name": "Jane",
            "email": f"jane@Org{one}.example", "cf_account_id": f"A{one}", "customer_id": "1", "currency_code": "EUR",
            **fields,
        }  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeChargebee]:
    with served(FakeChargebee()) as started:
        assert isinstance(started, FakeChargebee)
        for number in range(1, 4):
            started.put("customers", str(number), NOW - 90_000 + number)
        started.put("subscriptions", "s1", NOW - 80_000, status="active", mrr=12_500, started_at=NOW - 80_000,
                    subscription_items=[
                        {"item_price_id": "hours-eur", "item_type": "addon", "quantity": 40, "unit_price": 100},
                        {"item_price_id": "team-eur", "item_type": "plan", "quantity": 5, "unit_price": 2500},
                    ])  # fmt: skip
        started.put(
            "invoices", "i1", NOW - 70_000, status="paid", total=12_500, date=NOW - 70_000, paid_at=NOW - 60_000
        )
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakeChargebee, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(chargebee, "PAGE", 2)
    made = ApiCompany(
        tmp_path, "chargebee", server, match={"by": ["external_id", "email_domain"], "external_id": "cf_account_id"}
    )
    yield made
    made.con.close()


def test_the_first_load_reads_everything_once_and_nothing_personal(company: ApiCompany) -> None:
    assert company.load().by_table == {"customers": 3, "subscriptions": 1, "invoices": 1}
    assert company.rows("select external_id, email_domain from raw_chargebee.customers where id = '1'") == [
        ("A1", "org1.example")
    ]
    assert company.rows("select mrr, currency, status from raw_chargebee.subscriptions") == [(12500, "EUR", "active")]
    assert company.rows("select parent_id, item_type, plan, quantity from raw_chargebee.subscription_items") == [
        ("s1", "addon", "hours-eur", 40),
        ("s1", "plan", "team-eur", 5),
    ]
    assert company.rows("select total, paid_at::varchar from raw_chargebee.invoices") == [
        (12500, "2026-05-28 03:46:40")
    ]  # fmt: skip
    for secret in ("Jane", "jane", "4242", KEY):
        assert secret not in company.stored()


def test_the_second_load_asks_only_for_what_has_changed(company: ApiCompany, server: FakeChargebee) -> None:
    company.load()
    server.put("subscriptions", "s1", NOW + 60, status="cancelled", mrr=0, cancelled_at=NOW + 60)
    assert company.load(LATE, NOW + 7200).by_table == {"customers": 0, "subscriptions": 1, "invoices": 0}
    asked = {path: query["updated_at[after]"] for path, query, _ in server.asked}
    assert asked["/api/v2/subscriptions"] == str(NOW - 80_000 - 3600), "an hour of look-back"
    assert company.rows("select mrr from raw_chargebee.subscriptions order by _seq") == [(12500,), (0,)]


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakeChargebee) -> None:
    server.break_at = {number: Answer({}, status=500) for number in range(2, 30)}
    with pytest.raises(ProviderError, match=r"/customers failed 6 times"):
        company.load()
    server.break_at = {}
    company.load(LATE, NOW + 60)
    assert server.asked[0][1]["updated_at[after]"] == str(NOW - 90_000 + 2 - 3600)
    assert company.rows("select count(*), count(distinct id) from raw_chargebee.customers") == [(3, 3)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"list": [{"customer": {"id": "1"}}], "next_offset": "x"}, "would never end"),
        ({"items": []}, "answered without a list in `list`"),
        ({"list": [{"card": {}}]}, "an entry that holds no customer"),
    ],
)
def test_an_answer_that_is_none_ends_with_an_error(
    company: ApiCompany, server: FakeChargebee, answer: Any, said: str
) -> None:
    server.break_at = dict.fromkeys(range(1, 9), Answer(answer))
    with pytest.raises(ProviderError, match=said):
        company.load()


def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakeChargebee) -> None:
    server.break_at = {1: Answer({"message": "no"}, status=401)}
    with pytest.raises(WrongKeyError, match=r"key in PROVIDER_KEY: it has to be a read-only API key") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe(company: ApiCompany, server: FakeChargebee) -> None:
    assert providers.probe_provider(company.settings, "chargebee") == "the key is good, there are customers"
    server.held["customers"].clear()
    assert providers.probe_provider(company.settings, "chargebee") == "the key is good, there are no customers yet"
