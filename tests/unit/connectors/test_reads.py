"""A provider that cannot be read is noted with its reason and the time of the last good load; nothing stops for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml
from scripted_server import Answer, Script, served

from dagster_project.components import provider_assets
from dagster_project.components.quarantine import quarantine_asset
from dagster_project.connectors import providers
from dagster_project.http_client import ProviderError
from dagster_project.settings import Settings, load_settings
from dagster_project.warehouse import open_warehouse

NOW = 1_780_000_000
MONDAY, TUESDAY, WEDNESDAY = (datetime(2026, 6, day, 6, 0) for day in (1, 2, 3))
LISTS = ("customers", "subscriptions", "invoices", "charges")


class Company:
    """Reads Stripe: a server that lists what it is told to, and no events."""

    def __init__(self, folder: Path, script: Script) -> None:
        self.folder, self.script = folder, script
        self.source: dict[str, Any] = {
            "api_key": "env:STRIPE_KEY",
            "url": script.url,
            "match": {"by": ["email_domain"]},
        }

    @property
    def settings(self) -> Settings:
        accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
        files = {"folder": str(self.folder), "entities": {"accounts": accounts}}
        document = {"company": "Acme", "home": str(self.folder / "home"), "days": {"first": "2026-01-01"},
                    "sources": {"files": files, "stripe": self.source}}  # fmt: skip
        path = self.folder / "pipeline.yml"
        path.write_text(yaml.safe_dump(document))
        return load_settings(path, {})

    def give(self, **lists: list[dict[str, Any]]) -> None:
        for name in ("events", *LISTS):
            self.script.say(f"/v1/{name}", Answer({"data": lists.get(name, []), "has_more": False}))

    def read(self, con: duckdb.DuckDBPyConnection, at: datetime) -> providers.Read:
        return providers.read_provider(con, self.settings, "stripe", at, NOW)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    monkeypatch.setenv("STRIPE_KEY", "sk_test_not_to_be_seen")
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    with served(Script()) as script:
        made = Company(tmp_path, script)
        made.give(customers=[{"id": "cus_1", "created": NOW}])
        yield made


def test_a_provider_that_is_down_is_noted_until_it_is_read_again(company: Company) -> None:
    with duckdb.connect() as con:
        assert company.read(con, MONDAY).unread is None
        company.script.say("/v1/events", Answer({}, status=503))
        assert company.read(con, TUESDAY).unread is not None
        read = company.read(con, WEDNESDAY)
        assert read.unread is not None
        assert (read.unread.failing_since, read.unread.read_at) == (TUESDAY, MONDAY)
        assert read.unread.told() == (
            "stripe could not be read: /v1/events failed 6 times, last with: status 503. What came before is kept; the "
            "next run goes on from there. It was last read to its end on 2026-06-01 at 06:00. The scores rest on what "
            "is there."
        )
        company.give()
        assert company.read(con, WEDNESDAY).unread is None


def test_what_came_before_the_fault_is_counted(company: Company) -> None:
    company.script.say("/v1/invoices", Answer({}, status=418))
    with duckdb.connect() as con:
        read = company.read(con, MONDAY)
        assert read.landed.by_table == {"customers": 1}
        assert read.unread is not None
        assert read.unread.told().startswith("stripe could not be read: /v1/invoices answered with status 418")
        assert "It has never been read to its end; the first try was on 2026-06-01 at 06:00." in read.unread.told()


def test_without_its_key_the_tables_are_there_all_the_same(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_KEY")
    with duckdb.connect() as con:
        read = company.read(con, MONDAY)
        assert read.unread is not None
        assert "STRIPE_KEY is not set" in read.unread.told()
        assert con.execute("select id, external_id, email_domain from raw_stripe.customers").fetchall() == []


def test_an_answer_that_the_connector_stumbles_over_is_no_crash_and_not_quoted(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(*arguments: object) -> Iterator[Any]:
        yield from ()
        int("Jane Roe")

    module = SimpleNamespace(**{**vars(providers.module_of("stripe")), "pull": pull})
    monkeypatch.setattr(providers, "module_of", lambda _: module)
    with duckdb.connect() as con, pytest.raises(ProviderError) as raised:
        providers.load_provider(con, company.settings, "stripe", MONDAY, NOW)
    assert str(raised.value).startswith("stripe: answered in a form that its connector does not know (ValueError at te")
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)


def test_what_keep_lists_is_stored_and_everything_read_again_for_it(company: Company) -> None:
    company.give(customers=[{"id": "cus_1", "created": NOW, "metadata": {"tier": "gold", "note": "calls at night"}}])
    with duckdb.connect() as con:
        company.read(con, MONDAY)
        company.source["keep"] = {"customers": ["metadata.tier"]}
        assert company.read(con, TUESDAY).landed.new == 1
        sql = "select _record ->> '$.metadata' from raw_stripe.customers order by _seq desc limit 1"
        assert con.execute(sql).fetchall() == [('{"tier":"gold"}',)]
        company.source["keep"] = {"customer": ["metadata.tier"]}
        read = company.read(con, WEDNESDAY)
        assert read.unread is not None
        assert "'keep' in pipeline.yml names customer, which is no table of it; legal: customers, subs" in (
            read.unread.told()
        )


def checks(settings: Settings) -> dict[tuple[str, str], tuple[bool, str, str]]:
    """(table, check) -> passed, severity, description, of one run of the assets."""
    result = dg.materialize([provider_assets.provider_assets(settings, "stripe")], raise_on_error=False)
    assert result.success
    return {
        (one.asset_key.path[-1], one.check_name): (one.passed, one.severity.value, one.description or "")
        for one in result.get_asset_check_evaluations()
    }


def test_the_checks_of_the_assets_tell_what_is_amiss(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    invoices = [{"id": f"in_{n}", "created": NOW, "total": 5, "currency": "usd"} for n in range(30)]
    paid = [{**one, "status_transitions": {"paid_at": NOW}} for one in invoices]
    company.give(invoices=paid)
    found = checks(company.settings)
    assert set(found) == {(table, check) for table in LISTS for check in provider_assets.CHECKS}
    assert {passed for passed, _, _ in found.values()} == {True}

    company.give(events=[{"id": f"evt_{n}", "created": NOW, "data": {"object": {"id": one["id"], "object": "invoice"}}}
                         for n, one in enumerate(invoices)])  # fmt: skip
    for one in invoices:
        company.script.say(f"/v1/invoices/{one['id']}", Answer({**one, "total": 6, "surcharge": 1}))
    found = checks(company.settings)
    assert found["invoices", "no_new_fields"] == (False, "WARN", "New and not kept: surcharge (number).")
    passed, severity, told = found["invoices", "no_vanished_fields"]
    assert (passed, severity) == (False, "ERROR")
    assert told.startswith("No longer given by stripe: invoices.paid_at (last seen ")
    assert told.endswith("Measures that need it: days_past_due, lifetime_value.")

    monkeypatch.delenv("STRIPE_KEY")
    found = checks(company.settings)
    assert {found[table, "is_read"][:2] for table in LISTS} == {(False, "ERROR")}
    with open_warehouse(company.settings) as con:
        (unread,), (vanished,) = provider_assets.troubles(con, company.settings)
    assert unread == found["invoices", "is_read"][2]
    assert vanished == told


def test_records_set_aside_are_counted_beside_the_rows_of_files(company: Company) -> None:
    company.give(invoices=[{"id": f"in_{n}", "created": NOW, "total": "much" if n < 3 else 5} for n in range(30)])
    with open_warehouse(company.settings) as con:
        company.read(con, MONDAY)
    result = dg.materialize([quarantine_asset(company.settings)])
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert (check.description or "").startswith("Many rows are set aside: stripe.invoices 3 of 30.")
