"""A published mart of a few accounts and breaches, a receiver of webhooks on loopback, and delivery between the two."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.destinations.alert_book import Action, open_book
from dagster_project.destinations.channels import signature
from dagster_project.destinations.delivery import Delivered, deliver
from dagster_project.scorecards.delivery import Delivery

SECRET = "whsec_c2VjcmV0IGZvciB0ZXN0cw=="
FIRST = date(2026, 3, 1)

_MART = """
create schema marts;
create table marts.fct_health_scores (account_id varchar, day date);
create table marts.fct_mass_moves (day date, direction varchar, accounts_scored bigint, accounts_moved bigint);
create table marts.dim_accounts (account_id varchar, account_name varchar, segment varchar, plan varchar,
    lifecycle_stage varchar, region varchar, owner varchar);
create table marts.current_health (account_id varchar, segment varchar, plan varchar, lifecycle_stage varchar,
    owner varchar, arr double, score double, band varchar, trend_30d double, renewal_on date, days_to_renewal bigint,
    drivers_down varchar, drivers_of_change varchar);
create table marts.fct_breaches (breach_id varchar, account_id varchar, rule varchar, title varchar, severity varchar,
    lens varchar, opened_on date, closed_on date, close_reason varchar, is_open boolean, days_open bigint,
    value_at_open double, worst_value double, peak_on date, mass_move_on date);
"""


@dataclass
class Receiver:
    """What came, in order; `answers` are the statuses of the next requests, then 204."""

    url: str
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.got]

    @property
    def titles(self) -> list[str]:
        return [content["title"] for _, content in self.got]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A server that takes webhooks whose signature is right."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            key, moment = self.headers["webhook-id"], self.headers["webhook-timestamp"]
            if self.headers["webhook-signature"] != signature(SECRET, key, moment, body):
                made.wrong.append(key)
            status = made.answers.pop(0) if made.answers else 204
            if status < 300:
                made.got.append((key, json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class AlertCompany:
    """Breaches as a test writes them, published for a day; what people do; what is told."""

    folder: Path
    environ: dict[str, str]
    breaches: dict[str, dict[str, Any]] = field(default_factory=dict)
    moves: list[date] = field(default_factory=list)
    delivery: dict[str, Any] = field(default_factory=dict)

    @property
    def mart(self) -> Path:
        return self.folder / "mart.duckdb"

    @property
    def book(self) -> Path:
        return self.folder / "alerts" / "alerts.sqlite"

    def breach(self, name: str, account: str = "A1", opened: date = FIRST, **fields: Any) -> None:
        row = {"rule": "red_score", "title": "Health is red", "severity": "critical", "closed_on": None,
               "close_reason": None, "mass_move_on": None}  # fmt: skip
        self.breaches[name] = {
            **row,
            **self.breaches.get(name, {}),
            "account_id": account,
            "opened_on": opened,
            **fields,
        }

    def publish(self, day: date) -> None:
        self.mart.unlink(missing_ok=True)
        with duckdb.connect(str(self.mart)) as con:
            con.execute(_MART)
            con.execute("insert into marts.fct_health_scores values ('A1', ?)", [day])
            for number, (segment, owner, arr) in enumerate((("smb", "Ada", 900.0), ("enterprise", "Ben", 50_000.0)), 1):
                account = (f"A{number}", f"Acme\n {number}", segment, None, None, None, owner)
                con.execute("insert into marts.dim_accounts values (?, ?, ?, ?, ?, ?, ?)", account)
                con.execute(
                    "insert into marts.current_health values (?, ?, null, null, ?, ?, 41.25, 'red', -12.5, "
                    "date '2026-04-01', 31, 'NPS is -100 (-15.0)', null)",
                    [account[0], segment, owner, arr],
                )
            for moved in self.moves:
                con.execute("insert into marts.fct_mass_moves values (?, 'down', 100, 40)", [moved])
            for name, row in self.breaches.items():
                is_open = row["closed_on"] is None
                con.execute(
                    "insert into marts.fct_breaches values (?, ?, ?, ?, ?, 'overall', ?, ?, ?, ?, ?, 40, 39, ?, ?)",
                    [name, row["account_id"], row["rule"], row["title"], row["severity"], row["opened_on"],
                     row["closed_on"], row["close_reason"], is_open, (day - row["opened_on"]).days + 1,
                     row["opened_on"], row["mass_move_on"]],
                )  # fmt: skip

    def tell(self, day: date) -> Delivered:
        """Publish as of a day and tell what is due."""
        self.publish(day)
        with open_book(self.book) as book:
            return deliver(self.mart, Delivery.model_validate(self.delivery), book, self.clock(day), self.environ)

    def act(self, breach: str, act: Any, **more: Any) -> None:
        with open_book(self.book) as book:
            book.act(Action(breach, act, "ada", datetime(2026, 3, 1, 9), **more))

    def clock(self, day: date) -> Any:
        """Six in the morning of a day."""
        return lambda: datetime.combine(day, datetime.min.time()) + timedelta(hours=6)
