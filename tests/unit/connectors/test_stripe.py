"""Stripe's connector against a server on loopback that behaves as Stripe's lists and events do, and then does not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from scripted_server import Answer, Script, served

from dagster_project.commands import doctor
from dagster_project.connectors import landing, providers
from dagster_project.connectors.landing import Landed
from dagster_project.http_client import ProviderError, WrongKeyError
from dagster_project.provider_settings import MissingKeyError
from dagster_project.settings import Settings, load_settings

KEY = "sk_test_not_to_be_seen"
NOW = 1_780_000_000  # seconds; 2026-05-28
EARLY, LATE = datetime(2026, 5, 28, 6, 0), datetime(2026, 5, 29, 6, 0)
PAGE = 2
LISTS = ("customers", "subscriptions", "invoices", "charges")


class FakeStripe(Script):
    """Objects and events; lists give the newest first, two a page. `break_at` answers in place of the nth request."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {name: {} for name in LISTS}
        self.events: list[dict[str, Any]] = []
        self.break_at: dict[int, Answer] = {}

    def put(self, kinds: str, one: str, at: int, **fields: Any) -> None:
        """Create or change an object, with its event."""
        held = self.objects[kinds].get(one, {"id": one, "object": kinds.removesuffix("s"), "created": at})
        self.objects[kinds][one] = {**held, **fields}
        self.tell(self.objects[kinds][one], at)

    def tell(self, record: dict[str, Any], at: int) -> None:
        self.events.insert(0, {"id": f"evt_{len(self.events)}", "created": at, "data": {"object": dict(record)}})

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if len(self.asked) in self.break_at:
            return self.break_at[len(self.asked)]
        _, _, name, *rest = path.split("/")
        if rest:
            found = self.objects[name].get(rest[0])
            return Answer(found) if found else Answer({}, status=404)
        listed = self.events if name == "events" else list(reversed(self.objects[name].values()))
        listed = [one for one in listed if one["created"] >= int(query.get("created[gte]", "0"))]
        ids = [one["id"] for one in listed]
        start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        return Answer({"data": listed[start : start + PAGE], "has_more": len(listed) > start + PAGE})


class Company:
    """A pipeline.yml with Stripe, a warehouse in memory and the server."""

    def __init__(self, folder: Path, stripe: FakeStripe) -> None:
        self.stripe, self.folder = stripe, folder
        self.con = duckdb.connect()
        self.source: dict[str, Any] = {
            "api_key": "env:STRIPE_KEY",
            "url": stripe.url,
            "match": {"by": ["external_id"], "external_id": "metadata.account_id"},
        }
        self.timezone = "UTC"

    @property
    def settings(self) -> Settings:
        accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
        document = {
            "company": "Acme", "home": str(self.folder / "home"), "timezone": self.timezone,
            "days": {"first": "2026-01-01"},
            "sources": {
                "files": {"folder": str(self.folder), "entities": {"accounts": accounts}}, "stripe": self.source,
            },
        }  # fmt: skip
        path = self.folder / "pipeline.yml"
        path.write_text(yaml.safe_dump(document))
        return load_settings(path, {})

    def load(self, at: datetime = EARLY, now: int = NOW) -> Landed:
        self.stripe.asked.clear()
        landed, calls = providers.load_provider(self.con, self.settings, "stripe", at, now)
        assert calls == len(self.stripe.asked)
        return landed

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()

    def days(self) -> list[tuple[str, str]]:
        return self.rows("select entity, day::varchar from raw_meta.open_days where source = 'stripe' order by all")

    def held(self) -> list[list[tuple[Any, ...]]]:
        tables = (*LISTS, "subscription_items")
        return [self.rows(f"select * exclude (_seq) from raw_stripe.{name} order by all") for name in tables]


@pytest.fixture
def stripe() -> Iterator[FakeStripe]:
    with served(FakeStripe()) as server:
        assert isinstance(server, FakeStripe)
        yield server


@pytest.fixture
def company(tmp_path: Path, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    monkeypatch.setenv("STRIPE_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    made = Company(tmp_path, stripe)
    yield made
    made.con.close()


def fill(stripe: FakeStripe) -> None:
    for number in range(5):
        stripe.put("customers", f"cus_{number}", NOW - 90_000, email=f"jane{number}@Acme{number}.example",
                   name="Jane Roe", metadata={"account_id": f"A{number}", "note": "calls at night"})  # fmt: skip
    price = {"id": "price_1", "nickname": "pro", "unit_amount": 5000, "recurring": {"interval": "month"}}
    items = {"data": [{"id": "si_1", "quantity": 3, "price": price}], "has_more": False}
    stripe.put("subscriptions", "sub_1", NOW - 86_400 * 3, customer="cus_1", status="active", currency="usd",
               start_date=NOW - 86_400 * 3, items=items)  # fmt: skip
    stripe.put("invoices", "in_1", NOW - 86_400 * 2, customer="cus_1", status="open", currency="usd", total=15_000)
    stripe.put("charges", "ch_1", NOW - 86_400, customer="cus_1", amount=15_000, paid=True)


def test_the_first_load_lists_everything_once(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    assert company.load() == Landed(8, 8, 0, 0, {"customers": 5, "subscriptions": 1, "invoices": 1, "charges": 1})
    assert stripe.paths().count("/v1/customers") == 3
    assert [query["status"] for path, query, _ in stripe.asked if path == "/v1/subscriptions"] == ["all"]
    assert company.rows("select id, external_id, email_domain from raw_stripe.customers order by id limit 1") == [
        ("cus_0", "A0", "acme0.example")
    ]
    assert company.rows("select parent_id, quantity, unit_amount::int, plan from raw_stripe.subscription_items") == [
        ("sub_1", 3, 5000, "pro")
    ]
    assert company.rows("select _origin, _loaded_at from raw_stripe.invoices") == [("/v1/invoices", EARLY)]
    assert company.days() == [("invoices", "2026-05-26"), ("subscriptions", "2026-05-25")]


def test_nothing_personal_is_stored(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    stored = json.dumps(company.held(), default=str)
    assert [word for word in ("Jane", "jane", "night", KEY) if word in stored] == []
    ((record,),) = company.rows("select _record::varchar from raw_stripe.customers where id = 'cus_1'")
    assert json.loads(record) == {
        "created": NOW - 90_000, "email_domain": "acme1.example", "id": "cus_1",
        "metadata": {"account_id": "A1"}, "object": "customer",
    }  # fmt: skip


def test_the_second_load_asks_for_events_only_and_reads_what_they_name(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    assert company.load(LATE, NOW + 60).received == 0
    assert stripe.paths() == ["/v1/events"]
    company.con.execute("delete from raw_meta.open_days")
    stripe.put("invoices", "in_1", NOW + 70, status="paid", status_transitions={"paid_at": NOW + 70})
    stripe.put("invoices", "in_1", NOW + 71, amount_paid=15_000)
    stripe.tell({"id": "pi_1", "object": "payment_intent"}, NOW + 71)
    assert company.load(LATE, NOW + 90) == Landed(1, 1, 0, 0, {"invoices": 1})
    assert set(stripe.paths()) == {"/v1/events", "/v1/invoices/in_1"}
    assert stripe.paths().count("/v1/invoices/in_1") == 1
    assert company.rows("select status, _loaded_at from raw_stripe.invoices order by _seq") == [
        ("open", EARLY), ("paid", LATE),
    ]  # fmt: skip
    assert company.days() == [("invoices", "2026-05-28"), ("invoices", "2026-05-29")], "paid, and known"


def test_an_event_that_comes_late_is_seen_within_the_look_back(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    stripe.put("customers", "cus_1", NOW + 5_000, delinquent=True)
    company.load(LATE, NOW + 5_010)
    stripe.put("customers", "cus_2", NOW + 5_000 - 3_000, delinquent=True)  # told 50 minutes after it happened
    stripe.put("customers", "cus_3", NOW + 5_000 - 4_000, delinquent=True)  # 67 minutes: beyond the look-back of 60
    assert company.load(LATE, NOW + 5_020).by_table == {"customers": 1}
    assert "/v1/customers/cus_2" in stripe.paths()
    assert "/v1/customers/cus_1" not in stripe.paths(), "seen already"


def test_what_has_not_changed_brings_no_row_and_opens_no_day(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    company.con.execute("delete from raw_meta.open_days")
    stripe.tell(stripe.objects["invoices"]["in_1"], NOW + 5)
    assert company.load(LATE, NOW + 60) == Landed(1, 0, 1, 0, {"invoices": 0})
    assert company.days() == []


def test_after_a_long_pause_everything_is_listed_again(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    stripe.objects["invoices"]["in_1"]["status"] = "void"  # its event is long forgotten
    assert company.load(LATE, NOW + 30 * 86_400) == Landed(8, 1, 7, 0, {
        "customers": 0, "subscriptions": 0, "invoices": 1, "charges": 0,
    })  # fmt: skip


def test_a_deleted_customer_is_noted(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    stripe.tell(stripe.objects["customers"].pop("cus_1"), NOW + 5)
    company.load(LATE, NOW + 60)
    assert company.rows("select is_deleted from raw_stripe.customers where id = 'cus_1' order by _seq") == [
        (None,), (True,),
    ]  # fmt: skip


@pytest.mark.parametrize("broken", range(1, 9))
def test_a_crash_between_any_two_requests_loses_and_repeats_nothing(
    company: Company, stripe: FakeStripe, broken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stripe)
    monkeypatch.setattr(providers, "RECORDS_A_BATCH", 1)
    stripe.break_at = {broken: Answer({}, status=418)}
    with pytest.raises(ProviderError, match="418"):
        company.load()
    stripe.break_at = {}
    company.load()
    whole = Company(tmp_path, stripe)
    whole.load()
    assert company.held() == whole.held()
    assert company.days() == whole.days()
    assert company.load(LATE, NOW + 60).received == 0


def test_a_crash_while_changes_are_read_loses_nothing(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    company.load()
    stripe.put("customers", "cus_1", NOW + 5, delinquent=True)
    stripe.put("invoices", "in_1", NOW + 6, status="paid")
    stripe.break_at = {3: Answer({}, status=418)}  # the events, the customer, and then the invoice
    with pytest.raises(ProviderError):
        company.load(LATE, NOW + 60)
    stripe.break_at = {}
    assert company.load(LATE, NOW + 61).new == 1
    assert company.rows("select count(*) from raw_stripe.customers where id = 'cus_1'") == [(2,)]
    assert company.rows("select count(*) from raw_stripe.invoices") == [(2,)]


def test_rows_and_state_go_in_together_or_not_at_all(
    company: Company, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stripe)

    def fail(*arguments: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(landing, "_open_days", fail)
    with pytest.raises(RuntimeError):
        company.load()
    assert company.rows("select count(*) from raw_stripe.subscriptions") == [(0,)]
    assert "subscriptions" not in landing.read_state(company.con, "stripe")["listed"]
    assert landing.read_state(company.con, "stripe")["listed"]["customers"] is True


def test_a_value_of_another_type_is_set_aside_with_its_reason(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    stripe.put("invoices", "in_2", NOW - 50, total="a lot of Jane's money", currency="usd")
    assert company.load().rejected == 1
    assert company.rows(
        "select source, entity, file, column_name, reason, value from raw_quarantine.rejected_rows"
    ) == [("stripe", "invoices", "/v1/invoices/in_2", "total", "is not a whole number", None)]
    assert company.rows("select id from raw_stripe.invoices") == [("in_1",)]


def test_another_field_in_config_is_read_from_everything_again(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    stripe.put("customers", "cus_1", NOW - 10, metadata={"account_id": "A1", "site": "one.example"})
    company.load()
    company.source["match"] = {"by": ["domain"], "domain": "metadata.site"}
    company.load(LATE, NOW + 60)
    newest = "select domain, external_id from raw_stripe.customers where id = 'cus_1' order by _seq desc limit 1"
    assert company.rows(newest) == [("one.example", None)]


def test_times_are_the_companys(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    stripe.put("charges", "ch_2", 1_780_009_200, paid=True)  # 2026-05-28 23:00 UTC
    company.load()
    sql = "select created_at::varchar from raw_stripe.charges where id = 'ch_2'"
    assert company.rows(sql) == [("2026-05-28 23:00:00",)]
    company.timezone = "Europe/Berlin"
    company.load()
    assert company.rows(sql) == [("2026-05-29 01:00:00",)], "the kept record is read again"


def test_items_beyond_the_first_page_are_asked_for(company: Company, stripe: FakeStripe) -> None:
    fill(stripe)
    stripe.objects["subscription_items"] = {f"si_{n}": {"id": f"si_{n}", "created": 1, "quantity": n} for n in range(3)}
    stripe.objects["subscriptions"]["sub_1"]["items"]["has_more"] = True
    company.load()
    assert company.rows("select sum(quantity) from raw_stripe.subscription_items") == [(3,)]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer({"data": [{"id": "cus_4"}], "has_more": True}), "/v1/customers: the same page came twice"),
        (Answer({"data": [], "has_more": True}), "says there is more but gives an empty page"),
        (Answer({"data": "none"}), "without a list of objects"),
        (Answer({}, status=500), "failed 6 times, last with: status 500"),
        (Answer(b'{"data": ['), "an answer that is not whole JSON"),
    ],
)
def test_a_server_that_misbehaves_ends_with_an_error(
    company: Company, stripe: FakeStripe, answer: Answer, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stripe)
    regular = stripe.answer

    def misbehaving(path: str, query: dict[str, str]) -> Answer:
        return answer if path == "/v1/customers" else regular(path, query)

    monkeypatch.setattr(stripe, "answer", misbehaving)
    with pytest.raises(ProviderError, match=told):
        company.load()


def test_a_wrong_key_names_variable_and_permissions(
    company: Company, stripe: FakeStripe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stripe.break_at = {1: Answer({"error": {"message": f"Invalid API Key: {KEY}"}}, status=401)}
    with pytest.raises(WrongKeyError) as raised:
        company.load()
    assert str(raised.value) == (
        "stripe: /v1/events was refused (401). Check the key in STRIPE_KEY: it needs read access to Customers, "
        "Subscriptions, Invoices, Charges and Events"
    )
    assert KEY not in caplog.text


def test_a_missing_key_names_its_variable(
    company: Company, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_KEY", " ")
    with pytest.raises(MissingKeyError, match="STRIPE_KEY is not set"):
        company.load()
    assert stripe.asked == []


def test_doctor_tries_the_key_with_one_call(
    company: Company, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stripe)
    found = doctor._provider(company.settings, "stripe")
    assert (found.state, found.text) == ("ok", "the key is good, there are customers")
    assert [(path, query) for path, query, _ in stripe.asked] == [("/v1/customers", {"limit": "1"})]
    stripe.break_at = {2: Answer({}, status=403)}
    assert "it needs read access" in doctor._provider(company.settings, "stripe").text
    monkeypatch.delenv("STRIPE_KEY")
    missing = doctor._provider(company.settings, "stripe")
    assert (missing.state, "STRIPE_KEY" in missing.text) == ("problem", True)
