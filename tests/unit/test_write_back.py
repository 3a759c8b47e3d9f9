"""Health written back to CRMs that refuse rows, ask for patience, and fall silent: what they hold, and what is sent."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_company import DAY, KEY, Crm, CrmCompany, crm

from dagster_project.destinations import write_back as writing
from dagster_project.destinations.write_back import WriteBackError
from dagster_project.destinations.write_back_book import KEPT_DAYS, Record, open_book

NOW = datetime(2026, 3, 1, 6)
TARGETS = ("hubspot", "salesforce", "stripe")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    with crm() as made:
        yield made


@pytest.fixture
def company(tmp_path: Path, server: Crm) -> CrmCompany:
    return having(tmp_path, server, "hubspot", 5)


def having(folder: Path, server: Crm, target: str, accounts: int, **more: Any) -> CrmCompany:
    server.held = {f"c{number}": {} for number in range(1, accounts + 1)}
    made = CrmCompany(folder, target, server.url, accounts, **more)
    made.publish()
    return made


def counts(done: Any) -> tuple[int, int, int, int, int]:
    return done.sent, done.unchanged, done.failed, done.waiting, done.without_id


@pytest.mark.parametrize("target", TARGETS)
def test_every_account_is_written_once_and_then_only_what_changed(tmp_path: Path, server: Crm, target: str) -> None:
    company = having(tmp_path, server, target, 5, links=4)
    assert counts(company.write()) == (4, 0, 0, 0, 1)
    told = server.held["c1"]
    assert str(told["health_score"]).removesuffix(".0") == "50"
    assert told["health_band"] == "yellow"
    assert told["health_drivers"] == "NPS is -100 (-15.0); usage is 90 % (+9.0)"
    assert server.held["c5"] == {}, "it has no id there"

    asked = len(server.bodies)
    done = company.write()
    assert (counts(done), done.calls, len(server.bodies)) == ((0, 4, 0, 0, 1), 0, asked), "not even a log-in"

    company.publish({2: 41.24, 3: 50.04})
    server.got.clear()
    assert counts(company.write()) == (1, 3, 0, 0, 1)
    assert server.got == ["c2"], "a change that nobody would see is none"
    assert str(server.held["c2"]["health_score"]) == "41.2"


@pytest.mark.parametrize(("target", "empty"), [("hubspot", ""), ("salesforce", None), ("stripe", "")])
def test_a_score_that_is_not_known_empties_its_field(
    tmp_path: Path, server: Crm, target: str, empty: str | None
) -> None:
    company = having(tmp_path, server, target, 1)
    company.write()
    company.publish({1: None})
    company.write()
    assert server.held["c1"]["health_score"] == empty
    assert server.held["c1"]["health_band"] == "insufficient_data"


def test_every_value_goes_to_the_field_of_config(tmp_path: Path, server: Crm) -> None:
    fields = {"a": "score", "b": "band", "c": "change", "d": "drivers", "e": "day", "f": "status"}
    company = having(tmp_path, server, "salesforce", 1, fields=fields)
    company.publish({1: 49.96})
    company.write()
    assert server.held["c1"] == {
        "a": 50.0, "b": "red", "c": -3.3, "d": "NPS is -100 (-15.0); usage is 90 % (+9.0)", "e": "2026-03-01",
        "f": "scored",
    }  # fmt: skip


@pytest.mark.parametrize(("target", "sizes"), [("hubspot", [100, 100, 50]), ("salesforce", [200, 50])])
def test_batches_keep_to_the_limit(tmp_path: Path, server: Crm, target: str, sizes: list[int]) -> None:
    company = having(tmp_path, server, target, 250)
    assert counts(company.write()) == (250, 0, 0, 0, 0)
    assert [size for _, _, size in server.calls] == sizes
    assert sorted(server.got) == sorted(server.held)


def test_salesforce_finds_accounts_by_the_field_of_config(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "salesforce", 2, more={"external_id": "account_no"})
    server.held = {"A1": {}, "A2": {}}
    assert counts(company.write()) == (2, 0, 0, 0, 0)
    assert server.calls == [("PATCH", "/services/data/v62.0/composite/sobjects/Account/account_no", 2)]
    assert server.bodies[-1]["allOrNone"] is False
    assert server.bodies[-1]["records"][0]["attributes"] == {"type": "Account"}


@pytest.mark.parametrize(
    ("target", "reason"), [("hubspot", "LOCKED"), ("salesforce", "LOCKED"), ("stripe", "resource_missing")]
)
def test_a_row_that_is_refused_is_listed_and_tried_again(tmp_path: Path, server: Crm, target: str, reason: str) -> None:
    company = having(tmp_path, server, target, 5)
    server.refuses = {"c2": "LOCKED", "c4": "LOCKED"}
    done = company.write()
    assert counts(done) == (3, 0, 2, 0, 0)
    assert [(one.account_id, one.customer_id, one.reason) for one in done.refused] == [
        ("A2", "c2", reason), ("A4", "c4", reason)
    ]  # fmt: skip
    assert done.troubles == [f"{target} refused 2 records: {reason} (2).", "The next run tries again."]
    server.got.clear()
    del server.refuses["c2"]
    assert counts(company.write()) == (1, 3, 1, 0, 0)
    assert server.got == ["c2"]


def test_hubspot_does_not_name_the_row_then_what_came_back_was_taken(company: CrmCompany, server: Crm) -> None:
    server.refuses = {"c2": "LOCKED"}
    answer = server._as_hubspot

    def unnamed(*given: Any) -> Any:
        status, told = answer(*given)
        return status, told | {"errors": [{"category": "LOCKED", "context": {}} for _ in told["errors"]]}

    server._as_hubspot = unnamed  # type: ignore[method-assign]
    done = company.write()
    assert [one.customer_id for one in done.refused] == ["c2"]


def test_a_batch_that_is_refused_whole_is_halved_until_the_guilty_row_stands_alone(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "hubspot", 100)
    server.poisons = {"c7", "c70"}
    done = company.write()
    assert counts(done) == (98, 0, 2, 0, 0)
    assert {one.customer_id for one in done.refused} == server.poisons
    assert {one.reason for one in done.refused} == {"VALIDATION_ERROR"}
    assert len(server.got) == len(set(server.got)) == 98
    assert len(server.calls) < 30


@pytest.mark.parametrize("target", TARGETS)
def test_where_every_row_is_refused_by_itself_it_is_not_the_rows(tmp_path: Path, server: Crm, target: str) -> None:
    company = having(tmp_path, server, target, 300)
    server.poisons = set(server.held)
    done = company.write()
    assert counts(done) == (0, 0, 20, 280, 0)
    assert done.trouble is not None
    assert "20 records in a row were refused, the last with VALIDATION_ERROR" in done.trouble
    assert len(server.calls) < 60, "a mistake in config is no reason to call for each row"


def test_many_guilty_rows_among_good_ones_stop_nobody(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "hubspot", 200)
    server.poisons = {f"c{number}" for number in range(8, 201, 8)}
    assert counts(company.write()) == (175, 0, 25, 0, 0)


def test_rows_that_are_always_refused_hold_up_no_others(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "stripe", 50)
    server.poisons = {f"c{number}" for number in range(1, 51) if number != 9}
    done = [company.write() for _ in range(3)]
    assert sum(one.sent for one in done) == 1
    assert server.got == ["c9"]


def test_retry_after_is_obeyed(company: CrmCompany, server: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(writing, "WAYS", impatient(waits))
    server.faults = {1: (429, {"Retry-After": "7"}), 2: (429, {"Retry-After": "3"})}
    assert counts(company.write()) == (5, 0, 0, 0, 0)
    assert waits == [7.0, 3.0]
    assert len(server.got) == 5


def impatient(waits: list[float]) -> Any:
    """The targets, with clients that note their waits and do not wait."""

    def connecting(way: writing.Way) -> Any:
        def connect(source: Any, environ: Any) -> Any:
            api = way.connect(source, environ)
            api.sleep = waits.append
            return api

        return replace(way, connect=connect)

    return {name: connecting(way) for name, way in writing.WAYS.items()}


@pytest.mark.parametrize("fault", ["drop", "drop after", (502, {})])
def test_a_connection_that_drops_loses_nothing(company: CrmCompany, server: Crm, fault: Any) -> None:
    server.faults = {1: fault, 2: fault}
    assert counts(company.write()) == (5, 0, 0, 0, 0)
    assert set(server.got) == set(server.held)


def test_a_crm_that_dies_in_the_middle_gets_the_rest_from_the_next_run(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "hubspot", 500)
    server.faults = dict.fromkeys(range(3, 40), "drop")
    done = company.write()
    assert counts(done) == (200, 0, 0, 300, 0)
    assert done.troubles[0].startswith("hubspot: /crm/v3/objects/companies/batch/update failed 6 times, last with: ")
    assert "300 records of hubspot were not tried." in done.troubles[0]
    server.faults = {}
    assert counts(company.write()) == (300, 200, 0, 0, 0)
    assert len(server.got) == len(set(server.got)) == 500


def test_a_run_that_is_killed_loses_no_row_and_sends_only_those_in_doubt_twice(
    tmp_path: Path, server: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the CRM has taken a batch and not yet answered: the next run cannot know, and sends it again."""
    company = having(tmp_path, server, "hubspot", 900)
    environ = os.environ | {"HEALTH_CONFIG": str(company.settings.config_path), "CRM_KEY": KEY}
    command = [sys.executable, "-m", "dagster_project.cli", "write-back"]
    deaths, running = {2, 4, 5}, []

    def kill(call: int) -> None:
        if call in deaths:
            running[-1].kill()
            running[-1].wait()

    server.before = kill
    for _ in range(len(deaths) + 1):
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as process:
            running.append(process)
    assert [process.returncode for process in running] == [-signal.SIGKILL] * 3 + [0]
    times = Counter(server.got)
    assert set(times) == set(server.held)
    assert Counter(times.values()) == {1: 700, 2: 100, 3: 100}, "one batch was killed once, one twice"
    assert company.write().sent == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_the_permission_says_which(company: CrmCompany, server: Crm, status: int) -> None:
    server.faults = {1: (status, {})}
    done = company.write()
    assert counts(done) == (0, 0, 0, 5, 0)
    assert done.trouble is not None
    assert done.trouble.endswith(
        "Check the key in CRM_KEY: to write, its private app needs the scope crm.objects.companies.write"
    )


def test_a_key_that_is_not_there_says_so(company: CrmCompany, server: Crm) -> None:
    done = company.write(environ={"OTHER": "x"})
    assert done.troubles[0].startswith("the environment variable CRM_KEY is not set")
    assert server.bodies == []


def test_neither_key_nor_what_the_crm_says_in_words_is_told(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "hubspot", 5)
    server.poisons, server.refuses = {"c1"}, {"c2": "jane@example.com is wrong"}
    done = company.write()
    told = repr(done) + str(done.troubles) + company.settings.write_back_book.read_bytes().decode(errors="replace")
    told += "".join(path.read_text(errors="replace") for path in company.settings.write_back_book.parent.iterdir())
    assert [word for word in (KEY, "jane") if word in told] == []
    assert {one.reason for one in done.refused} == {"VALIDATION_ERROR", "no reason given"}


@pytest.mark.parametrize("answer", [(200, []), (200, {"results": None}), (200, {})])
def test_an_answer_of_another_form_takes_nothing(company: CrmCompany, server: Crm, answer: Any) -> None:
    server._as_hubspot = lambda *_: answer  # type: ignore[method-assign]
    done = company.write()
    assert (done.sent, done.waiting) == (0, 5)
    assert "check `url`" in str(done.trouble)


def test_a_company_of_other_marts_says_what_to_do(company: CrmCompany) -> None:
    (company.folder / "mart.duckdb").unlink()
    with pytest.raises(WriteBackError, match="there is no published mart yet"):
        company.write()


def test_the_book_only_grows_but_for_what_is_old(tmp_path: Path) -> None:
    path = tmp_path / "write_back.sqlite"
    with open_book(path) as book:
        for number in range(3):
            at = NOW + timedelta(days=number)
            book.note("hubspot", [Record("A1", "c1", {"s": float(number)}), Record("A2", "c2", {"s": 1.0})], {}, at)
        book.note("hubspot", [Record("A1", "c1", {"s": 9.0})], {"c1": "LOCKED"}, NOW)
        assert book.forget(NOW + timedelta(days=KEPT_DAYS)) == 0
        assert book.forget(NOW + timedelta(days=KEPT_DAYS + 9)) == 4
        found = book.last("hubspot", ["c1", "c2", "c3"], book.newest())
        assert found["c1"].hash == Record("A1", "c1", {"s": 2.0}).hash
        assert (found["c1"].was_refused, found["c2"].was_refused) == (True, False)
        assert "c3" not in found
        assert book.last("salesforce", ["c1"], book.newest()) == {}
    for statement in ("update attempts set hash = 'x'", "delete from attempts"):
        with sqlite3.connect(path) as con, pytest.raises(sqlite3.IntegrityError):
            con.execute(statement)


def test_only_one_process_sends_at_a_time(company: CrmCompany, server: Crm) -> None:
    settings = company.settings
    with ThreadPoolExecutor(4) as pool:
        done = [one.result() for one in [pool.submit(company.write, settings=settings) for _ in range(4)]]
    assert sum(one.sent for one in done) == 5
    assert len(server.got) == 5


def test_a_new_day_is_a_change_only_where_the_day_is_sent(tmp_path: Path, server: Crm) -> None:
    company = having(tmp_path, server, "hubspot", 3)
    company.write()
    company.publish(day=DAY + timedelta(days=1))
    assert company.write().sent == 0
    company.fields["health_day"] = "day"
    assert company.write().sent == 3
