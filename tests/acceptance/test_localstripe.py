"""Stripe as a server that others wrote plays it (localstripe), filled through Stripe's own client.

What localstripe lacks and Stripe has: /v1/prices, `created` filters of lists other than events, search.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stripe
import yaml

from dagster_project.connectors.providers import load_provider
from dagster_project.destinations.write_back_book import Record
from dagster_project.destinations.write_back_targets import WAYS
from dagster_project.http_client import BadRequestError, NotFoundError, WrongKeyError
from dagster_project.settings import PROJECT_ROOT, Settings, load_settings
from dagster_project.write_back_settings import Target

pytestmark = pytest.mark.acceptance

KEY = "sk_test_acceptance"
CUSTOMERS = 120  # more than a page


@dataclass(frozen=True)
class Server:
    url: str

    def holds(self, kind: str) -> set[str]:
        """The ids that the server lists, by Stripe's own client."""
        listed = getattr(stripe, kind).list(limit=100, **({"status": "all"} if kind == "Subscription" else {}))
        return {one.id for one in listed.auto_paging_iter()}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("localstripe")), "--port", str(port), "--from-scratch"]
    log = tmp_path_factory.mktemp("localstripe") / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        stripe.api_key, stripe.api_base = KEY, url
        _fill()
        yield Server(url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"localstripe ended: {log.read_text()}")
        try:
            urllib.request.urlopen(f"{url}/js.stripe.com/v3/", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("localstripe did not answer within 20 seconds")


def _fill() -> None:
    product = stripe.Product.create(name="Pro", type="service")
    monthly = stripe.Plan.create(amount=5000, currency="usd", interval="month", product=product.id, nickname="pro")
    yearly = stripe.Plan.create(amount=120000, currency="usd", interval="year", product=product.id, nickname="big")
    for number in range(CUSTOMERS):
        metadata = {"account_id": f"A{number}"} if number % 4 else {}
        customer = stripe.Customer.create(email=f"jane@company{number}.example", name="Jane Roe", metadata=metadata)
        if number < 20:
            card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
            method = stripe.PaymentMethod.create(type="card", card=card)
            stripe.PaymentMethod.attach(method.id, customer=customer.id)
            stripe.Customer.modify(customer.id, invoice_settings={"default_payment_method": method.id})
            plan = yearly if number % 2 else monthly
            stripe.Subscription.create(customer=customer.id, items=[{"plan": plan.id, "quantity": 3}])


@pytest.fixture(scope="module")
def settings(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A company with 100 of the customers as accounts; those that Stripe has no account id of have their domain."""
    folder = tmp_path_factory.mktemp("company")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    accounts = [f"A{number},2026-01-01,company{number}.example" for number in range(100)]
    (folder / "accounts.csv").write_text("\n".join(["id,since,site", *accounts]))
    entity = {"files": "accounts.csv", "columns": {"account_id": "id", "created_on": "since", "domain": "site"}}
    document = {
        "company": "Acme",
        "home": str(folder / "home"),
        "days": {"first": str(yesterday - timedelta(days=2)), "last": str(yesterday)},
        "scorecards": str(PROJECT_ROOT / "config" / "scorecards"),
        "alerts": str(PROJECT_ROOT / "config" / "alerts.yml"),
        "sources": {
            "files": {"folder": str(folder), "entities": {"accounts": entity}},
            "stripe": {
                "api_key": "env:STRIPE_API_KEY",
                "url": server.url,
                "match": {"by": ["external_id", "email_domain"], "external_id": "metadata.account_id"},
            },
        },
        "write_back": {"enabled": True, "stripe": {"fields": {"health_band": "band", "health_day": "day"}}},
    }
    (folder / "pipeline.yml").write_text(yaml.safe_dump(document))
    return load_settings(folder / "pipeline.yml", {})


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", KEY)


def load(con: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[Any, int]:
    return load_provider(
        con, settings, "stripe", datetime.now(UTC).replace(tzinfo=None, microsecond=0), int(time.time())
    )


def ids(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"select id from raw_stripe.{table}").fetchall()]


@pytest.mark.usefixtures("key")
def test_every_object_arrives_once_and_then_only_changes_are_asked_for(server: Server, settings: Settings) -> None:
    with duckdb.connect() as con:
        load(con, settings)
        for kind, table in (("Customer", "customers"), ("Subscription", "subscriptions"), ("Invoice", "invoices")):
            found = ids(con, table)
            assert len(found) == len(set(found)), table
            assert set(found) == server.holds(kind), table
        assert set(ids(con, "charges")) == server.holds("Charge")
        assert con.execute("select count(*) from raw_stripe.subscription_items").fetchall() == [(20,)]

        landed, calls = load(con, settings)
        assert (landed.received, calls) == (0, -(-len(stripe.Event.list(limit=1000).data) // 100))

        first = "jane@company0.example"
        (changed,) = (one.id for one in stripe.Customer.list(limit=100).auto_paging_iter() if one.email == first)
        stripe.Customer.modify(changed, metadata={"account_id": "A99"})
        new = stripe.Customer.create(email="late@company.example")
        landed, _ = load(con, settings)
        assert (landed.received, landed.new) == (2, 2)
        sql = "select external_id from raw_stripe.customers where id = $1 order by _seq desc limit 1"
        assert con.execute(sql, [changed]).fetchall() == [("A99",)]
        stored = con.execute("select string_agg(_record::varchar) from raw_stripe.customers").fetchall()[0][0]
        assert new.id in stored
        assert "Jane" not in stored
        assert "late@" not in stored


@pytest.mark.usefixtures("key")
def test_health_is_written_to_metadata_beside_what_is_there(server: Server, settings: Settings) -> None:
    """As Stripe's own client finds it; an empty value takes its key away; a deleted customer is refused."""
    gone, here = stripe.Customer.create(), stripe.Customer.create(metadata={"account_id": "A900"})
    stripe.Customer.delete(gone.id)
    way, target = WAYS["stripe"], Target(fields={"health_score": "score", "health_drivers": "drivers"})
    api = way.connect(settings.sources.providers["stripe"], None)
    way.send(api, target, [Record("A900", here.id, {"health_score": 41.5, "health_drivers": "é" * 600})])
    metadata = stripe.Customer.retrieve(here.id).metadata.to_dict()
    assert metadata == {"account_id": "A900", "health_score": "41.5", "health_drivers": "é" * 499 + "…"}
    way.send(api, target, [Record("A900", here.id, {"health_score": 100.0, "health_drivers": None})])
    assert stripe.Customer.retrieve(here.id).metadata.to_dict().get("health_drivers", "") == ""
    assert stripe.Customer.retrieve(here.id).metadata["health_score"] == "100"
    with pytest.raises((BadRequestError, NotFoundError)):
        way.send(api, target, [Record("A901", "cus_nobody", {"health_score": 1.0})])
    api.close()
    stripe.Customer.delete(here.id)


def test_a_wrong_key_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "no_key_at_all")
    with duckdb.connect() as con, pytest.raises(WrongKeyError, match="Check the key in STRIPE_API_KEY"):
        load(con, settings)


@pytest.mark.usefixtures("key")
def test_a_run_scores_what_stripe_says(server: Server, settings: Settings) -> None:
    environ = {**os.environ, "HEALTH_CONFIG": str(settings.config_path)}
    command = [str(Path(sys.executable).with_name("health")), "run"]
    run = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert KEY not in run.stdout + run.stderr
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        billed = con.execute(
            "select source, count(*), sum(mrr)::int from intermediate.int_billing__subscription_versions "
            "where account_id is not null group by source"
        ).fetchall()
        assert billed == [("stripe", 20, 10 * 150 + 10 * 300)]
        known = con.execute(
            "select source, count(*) from intermediate.int_billing__invoices where is_account_known group by source"
        ).fetchall()
        assert known == [("stripe", len(server.holds("Invoice")))]
        unmatched = con.execute(
            "select source, entity, count(*) from marts.fct_unmatched_records group by all order by all"
        ).fetchall()
        of_rule = con.execute(
            "select matched_by, count(*) from intermediate.int_identity__customers group by 1 order by 1"
        ).fetchall()
        bands = dict(
            con.execute(
                "select customer_id, band from marts.dim_account_links join marts.current_health using (account_id)"
            ).fetchall()
        )
    told = {one.id: one.metadata.to_dict() for one in stripe.Customer.list(limit=100).auto_paging_iter()}
    assert len(bands) >= 100
    assert {one: has["health_band"] for one, has in told.items() if "health_band" in has} == bands
    assert {has.get("health_day") for one, has in told.items() if one in bands} == {str(settings.days.last)}
    assert f"stripe: {len(bands)} sent, 0 unchanged" in run.stdout
    again = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert "Nothing is due" in again.stdout, "what was written is no news of a customer"
    environ["STRIPE_API_KEY"] = "no_key_at_all"
    again = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert again.returncode == 4, again.stdout[-3000:] + again.stderr[-3000:]
    assert "Check the key in STRIPE_API_KEY" in again.stderr.splitlines()[-1]
    assert "It was last read to its end on " in again.stderr.splitlines()[-1]
    extra = len(server.holds("Customer")) - CUSTOMERS  # of the test above
    assert unmatched == [("stripe", "customers", 20 + extra)]
    assert dict(of_rule)["email_domain"] == 24
