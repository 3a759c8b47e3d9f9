"""WireMock as a provider that misbehaves: each page comes only after the faults that a test puts before it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster_project.settings import PROJECT_ROOT

RETRY_AFTER = 7  # seconds that a 429 asks for
LATE_MS = 900  # more than the client of these tests waits
FAULTS: dict[str, dict[str, Any]] = {
    "429": {"status": 429, "headers": {"Retry-After": str(RETRY_AFTER)}},
    "500": {"status": 500, "body": "no JSON here"},
    "late": {"status": 200, "fixedDelayMilliseconds": LATE_MS},
    "truncated": {"status": 200},
    "reset": {"fault": "CONNECTION_RESET_BY_PEER"},
    "garbled": {"fault": "MALFORMED_RESPONSE_CHUNK"},
    "empty": {"fault": "EMPTY_RESPONSE"},
}


@dataclass(frozen=True)
class Page:
    """One answer: to which question, and what. A query of None must not be there; `sent` is part of a POST's body."""

    path: str
    body: Any
    query: Mapping[str, str | None] = field(default_factory=dict)
    method: str = "GET"
    sent: Mapping[str, Any] | None = None
    sent_absent: Sequence[str] = ()

    def request(self) -> dict[str, Any]:
        """The question as WireMock matches it."""
        query = {name: {"absent": True} if value is None else {"equalTo": value} for name, value in self.query.items()}
        bodies: list[dict[str, Any]] = []
        if self.sent is not None:
            bodies.append({"equalToJson": dict(self.sent), "ignoreExtraElements": True, "ignoreArrayOrder": True})
        bodies += [{"matchesJsonPath": {"expression": f"$.{name}", "absent": True}} for name in self.sent_absent]
        found: dict[str, Any] = {"method": self.method, "urlPath": self.path, "queryParameters": query}
        return {**found, "bodyPatterns": bodies} if bodies else found


class FaultServer:
    """The server; `url` is where a provider would be."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def serve(self, pages: Sequence[Page], faults: Mapping[int, Sequence[str]]) -> None:
        """Answer with these pages and nothing else; page number n only after `faults[n]`, in order."""
        self._admin("POST", "reset")
        mappings = []
        for number, page in enumerate(pages):
            before = list(faults.get(number, ()))
            for step, fault in enumerate([*before, None]):
                mappings.append(
                    {
                        "priority": 5,
                        "scenarioName": f"page {number}",
                        "requiredScenarioState": f"step {step}" if step else "Started",
                        **({"newScenarioState": f"step {step + 1}"} if fault else {}),
                        "request": page.request(),
                        "response": _answer(page, fault),
                    }
                )
        self._admin("POST", "mappings/import", {"mappings": mappings})

    def asked(self) -> list[str]:
        """Path and query of each request since `serve`, in order."""
        found = self._admin("GET", "requests")["requests"]
        return [one["request"]["url"] for one in reversed(found)]

    def unknown(self) -> list[str]:
        """Requests that no page answers: none, unless a test has forgotten one."""
        return [one["url"] for one in self._admin("GET", "requests/unmatched")["requests"]]

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__admin/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"{}")


def _answer(page: Page, fault: str | None) -> dict[str, Any]:
    body, headers = json.dumps(page.body), {"Content-Type": "application/json"}
    if fault is None:
        return {"status": 200, "headers": headers, "body": body}
    if fault == "truncated":
        return {**FAULTS[fault], "headers": headers, "body": body[: len(body) // 2]}
    return {**({"body": body} if fault == "late" else {}), **FAULTS[fault]}


@contextmanager
def fault_server(folder: Path) -> Iterator[FaultServer]:
    """A WireMock of its own on loopback, ended by its process id."""
    java, modules = _script("java"), _script("node")
    (jar,) = Path(modules, "wiremock", "build").glob("wiremock-standalone-*.jar")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [f"{java}/bin/java", "-XX:TieredStopAtLevel=1", "-jar", str(jar), "--port", str(port)]
    command += ["--bind-address", "127.0.0.1", "--disable-banner", "--root-dir", str(folder)]
    log = folder / "wiremock.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    server = FaultServer(port)
    try:
        _wait_for(server, process, log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _script(name: str) -> str:
    done = subprocess.run([PROJECT_ROOT / "scripts" / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _wait_for(server: FaultServer, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            server.asked()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("WireMock did not answer within 30 seconds")
