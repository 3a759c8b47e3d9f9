"""A published mart, and a server on loopback that holds its accounts as HubSpot, Salesforce and Stripe do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import duckdb
import yaml

from dagster_project.destinations.write_back import Written, write_back
from dagster_project.destinations.write_back_book import open_book
from dagster_project.settings import Settings, load_settings

KEY = "key_not_to_be_seen"
DAY = date(2026, 3, 1)
FIELDS = {"health_score": "score", "health_band": "band", "health_drivers": "drivers"}
LIMITS = {"hubspot": 100, "salesforce": 200, "stripe": 1}
Answer = tuple[int, Any]

_MART = """
create schema marts;
create table marts.current_health (account_id varchar, day date, score double, band varchar, status varchar,
    trend_7d double, drivers_down varchar, drivers_up varchar);
create table marts.dim_account_links (source varchar, customer_id varchar, account_id varchar, matched_by varchar);
"""


@dataclass
class Crm:
    """What it holds by customer; what it was sent, in order; and how it misbehaves.

    `refuses` are customers with its word for the reason; one `poisons` a batch: it is refused whole. `faults` are, by
    the number of the call: a status with headers, or "drop" before or "drop after" the records were taken.
    """

    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, records
    bodies: list[Any] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    poisons: set[str] = field(default_factory=set)
    faults: dict[int, tuple[int, dict[str, str]] | str] = field(default_factory=dict)
    before: Callable[[int], None] = lambda _: None  # is told the number of each call, once it is taken
    url: str = ""

    def take(self, customer: str, values: dict[str, Any]) -> str | None:
        """The reason for which it does not take them."""
        if customer not in self.held:
            return "OBJECT_NOT_FOUND"
        if customer in self.refuses:
            return self.refuses[customer]
        self.held[customer].update(values)
        self.got.append(customer)
        return None

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path == "/services/oauth2/token":
            return 200, {"access_token": "session"}
        if path == "/crm/v3/objects/feedback_submissions" or path.endswith("/feedback_submissions/search"):
            return 200, {"results": []}
        if path == "/crm/v3/objects/companies/search":
            return 200, {"results": [self.company(one) for one in self.held]}
        if path == "/crm/v3/objects/companies/batch/update":
            return self._as_hubspot(method, path, body)
        if path.startswith("/services/data/v62.0/composite/sobjects/Account/"):
            return self._as_salesforce(method, path, body)
        return self._as_stripe(method, path, body)

    def company(self, one: str) -> dict[str, Any]:
        """As HubSpot gives it to who reads."""
        at = "2026-01-01T10:00:00.000Z"
        properties = {"hs_object_id": one, "hs_lastmodifieddate": at, "domain": f"{one}.example", **self.held[one]}
        return {"id": one, "createdAt": at, "updatedAt": at, "archived": False, "properties": properties}

    def _begin(self, method: str, path: str, target: str, customers: list[str]) -> Answer | None:
        self.calls.append((method, path, len(customers)))
        if len(customers) > LIMITS[target] or len(set(customers)) < len(customers) or self.poisons & set(customers):
            return 400, {"status": "error", "message": "jane@example.com is wrong", "category": "VALIDATION_ERROR"}
        return None

    def _as_hubspot(self, method: str, path: str, body: Any) -> Answer:
        inputs = {one["id"]: one["properties"] for one in body["inputs"]}
        assert all(isinstance(value, str) for values in inputs.values() for value in values.values())
        if refused := self._begin(method, path, "hubspot", [one["id"] for one in body["inputs"]]):
            return refused
        found = {customer: self.take(customer, values) for customer, values in inputs.items()}
        results = [{"id": one, "properties": {}} for one, reason in found.items() if reason is None]
        errors = [
            {"status": "error", "category": reason, "message": "jane@example.com", "context": {"ids": [one]}}
            for one, reason in found.items()
            if reason is not None
        ]
        return (207 if errors else 200), {"status": "COMPLETE", "results": results, "errors": errors}

    def _as_salesforce(self, method: str, path: str, body: Any) -> Answer:
        found_by = path.rpartition("/")[2]
        if refused := self._begin(method, path, "salesforce", [one[found_by] for one in body["records"]]):
            return refused
        answers = []
        for one in body["records"]:
            values = {name: value for name, value in one.items() if name not in ("attributes", found_by)}
            reason = self.take(one[found_by], values)
            told = [{"statusCode": reason, "message": "jane@example.com", "fields": []}] if reason else []
            answers.append({"id": one[found_by], "success": reason is None, "errors": told})
        return 200, answers

    def _as_stripe(self, method: str, path: str, body: Any) -> Answer:
        customer = unquote(path.removeprefix("/v1/customers/"))
        if refused := self._begin(method, path, "stripe", [customer]):
            return refused
        values = {name.removeprefix("metadata[").removesuffix("]"): value for name, value in body.items()}
        reason = self.take(customer, values)
        if reason:
            return 404, {"error": {"code": "resource_missing", "message": "jane@example.com"}}
        return 200, {"id": customer, "metadata": self.held[customer]}


@contextmanager
def crm() -> Iterator[Crm]:
    """A server that plays a CRM."""
    made = Crm()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet: of two, the second would wait for the first to be acknowledged

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            body = dict(parse_qsl(sent, keep_blank_values=True)) if is_form else json.loads(sent or "{}")
            made.bodies.append(body)
            number = len(made.bodies)
            fault = made.faults.get(number)
            if fault == "drop":
                self.close_connection = True
                return
            headers: dict[str, str] = {}
            if isinstance(fault, tuple):
                (status, headers), told = fault, {"message": "jane@example.com"}
            else:
                status, told = made.answer(self.command, urlsplit(self.path).path, body)
            made.before(number)
            if fault == "drop after":
                self.close_connection = True
                return
            content = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_PATCH = do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class CrmCompany:
    """Accounts A1 to An, each with a customer c1 to cn at one target, and what pipeline.yml says of it."""

    folder: Path
    target: str
    url: str
    accounts: int = 5
    links: int | None = None  # how many of them have a customer; all where left out
    fields: dict[str, str] = field(default_factory=lambda: dict(FIELDS))
    more: dict[str, Any] = field(default_factory=dict)  # of the target in config

    @property
    def settings(self) -> Settings:
        keys = ("client_id", "client_secret") if self.target == "salesforce" else ("api_key",)
        source: dict[str, Any] = dict.fromkeys(keys, "env:CRM_KEY") | {"url": self.url}
        source["match"] = {"by": ["external_id"], "external_id": "account_no"}
        files = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
        document = {
            "company": "Acme", "home": str(self.folder), "days": {"first": str(DAY)},
            "sources": {"files": {"folder": str(self.folder), "entities": {"accounts": files}}, self.target: source},
            "destinations": {"mart": {"folder": "."}},
            "write_back": {"enabled": True, self.target: {"fields": self.fields, **self.more}},
        }  # fmt: skip
        path = self.folder / "pipeline.yml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return load_settings(path, {})

    def publish(self, scores: dict[int, float | None] | None = None, day: date = DAY) -> None:
        """A mart in which all score 50, but for these numbers."""
        mart = self.folder / "mart.duckdb"
        mart.unlink(missing_ok=True)
        rows = []
        for number in range(1, self.accounts + 1):
            score = (scores or {}).get(number, 50.0)
            band = "insufficient_data" if score is None else "red" if score < 50 else "yellow"
            down = None if score is None else "NPS is -100 (-15.0)"
            status = "insufficient_data" if score is None else "scored"
            rows.append((f"A{number}", day, score, band, status, -3.26, down, "usage is 90 % (+9.0)"))
        links = [
            (self.target, f"c{number}", f"A{number}", "external_id")
            for number in range(1, (self.accounts if self.links is None else self.links) + 1)
        ]
        with duckdb.connect(str(mart)) as con:
            con.execute(_MART)
            con.executemany("insert into marts.current_health values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            con.executemany("insert into marts.dim_account_links values (?, ?, ?, ?)", links)

    def write(self, environ: dict[str, str] | None = None, settings: Settings | None = None) -> Written:
        """What a run does."""
        settings = settings or self.settings
        with open_book(settings.write_back_book) as book:
            at = datetime(2026, 3, 1, 6)
            return write_back(settings, self.target, book, lambda: at, {"CRM_KEY": KEY} if environ is None else environ)
