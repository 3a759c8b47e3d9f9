"""How long the health of changed accounts takes to a HubSpot on loopback, in batches of 100, and with how much memory.

python -m benchmarks.write_back [accounts]     (20,000; a tenth of them first, to see whether memory grows with them)

HubSpot is a process of its own, which answers at once: what is measured is `health write-back` from start to end.
Exit code 1 if it takes longer than a minute.
"""

import json
import multiprocessing
import os
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import yaml

from benchmarks.processes import measure

MOST_SECONDS = 60
_MART = """
create schema marts;
create table marts.current_health as
select 'A' || i as account_id, date '2026-03-01' as day, round(random() * 100, 4) as score, 'yellow' as band,
    'scored' as status, -3.5 as trend_7d,
    'usage is 34 % below its baseline (-12.3); NPS is -100 (-9.9); 2 invoices are late (-4.0)' as drivers_down,
    'CSAT is 92 (+9.0)' as drivers_up
from range($accounts::bigint) as t (i);
create table marts.dim_account_links as
select 'hubspot' as source, (i + 7000000000)::varchar as customer_id, 'A' || i as account_id, 'domain' as matched_by
from range($accounts::bigint) as t (i);
"""


class Hubspot(BaseHTTPRequestHandler):
    """Takes every batch of at most 100."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: of two, the second would wait 40 ms for the first to be acknowledged

    def do_POST(self) -> None:
        """Answer as HubSpot does: with what it took."""
        inputs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        found = {"status": "COMPLETE", "results": [{"id": one["id"], "properties": {}} for one in inputs]}
        content = json.dumps(found).encode()
        self.send_response(200 if len(inputs) <= 100 else 400)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def company(folder: Path, url: str) -> Path:
    """A pipeline.yml whose HubSpot is at `url`; returns its path."""
    accounts = {"files": "a.csv", "columns": {"account_id": "id", "created_on": "since"}}
    fields = {"health_score": "score", "health_band": "band", "health_change": "change", "health_drivers": "drivers"}
    document = {
        "company": "Benchmark", "home": str(folder), "days": {"first": "2026-01-01"},
        "sources": {
            "files": {"folder": str(folder), "entities": {"accounts": accounts}},
            "hubspot": {"api_key": "env:BENCH_KEY", "url": url, "match": {"by": ["domain"], "domain": "domain"}},
        },
        "destinations": {"mart": {"folder": "."}},
        "write_back": {"enabled": True, "hubspot": {"fields": fields}},
    }  # fmt: skip
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def publish(folder: Path, accounts: int) -> None:
    """A mart of so many accounts with new scores."""
    mart = folder / "mart.duckdb"
    mart.unlink(missing_ok=True)
    with duckdb.connect(str(mart)) as con:
        for statement in _MART.strip().removesuffix(";").split(";\n"):
            con.execute(statement, {"accounts": accounts} if "$accounts" in statement else None)


def main(accounts: int) -> int:
    """Print seconds and megabytes: all accounts for the first time, all changed, none changed."""
    server = HTTPServer(("127.0.0.1", 0), Hubspot)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    server.server_close()
    command = [str(Path(sys.executable).with_name("health")), "write-back"]
    slowest = 0.0
    try:
        for count in (accounts // 10, accounts):
            with tempfile.TemporaryDirectory() as home:
                folder = Path(home)
                config = company(folder, f"http://127.0.0.1:{server.server_address[1]}")
                environ = os.environ | {"HEALTH_CONFIG": str(config), "BENCH_KEY": "key"}
                for what, is_new in (("new", True), ("changed", True), ("unchanged", False)):
                    if is_new:
                        publish(folder, count)
                    log = folder / "log"
                    figures = measure(command, environ, log)
                    told = log.read_text().splitlines()[0].partition(";")[0]
                    size = (folder / "write_back" / "write_back.sqlite").stat().st_size / 1e6
                    print(
                        f"{count:7,} accounts, {what:9}: {figures.seconds:5.1f} s, {figures.processor_seconds:5.1f} "
                        f"processor seconds, {figures.megabytes:4.0f} MB, book {size:3.0f} MB  ({told})"
                    )
                    slowest = max(slowest, figures.seconds)
    finally:
        process.terminate()
        process.join()
    if slowest > MOST_SECONDS:
        print(f"The slowest took {slowest:.1f} s; at most {MOST_SECONDS} were wanted")
    return int(slowest > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
