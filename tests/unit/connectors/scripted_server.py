"""A real HTTP server on loopback that answers as a test scripts it: a list of answers for each path, in order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """One answer. `cut` ends it after so many bytes of the body, `drop` before any; `wait` is seconds before it."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drop: bool = False
    wait: float = 0.0

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Script:
    """What the server will say, and what it was asked: `asked` holds (path, query, headers)."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.bodies: list[Any] = []  # of the POSTs, in order
        self.url = ""

    def say(self, path: str, *answers: Answer) -> None:
        """Answers of a path in turn; the last one for ever after."""
        self.answers[path] = list(answers)

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        listed = self.answers.get(path, [Answer({}, status=404)])
        return listed.pop(0) if len(listed) > 1 else listed[0]


@contextmanager
def served(script: Script) -> Iterator[Script]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            script.bodies.append(dict(parse_qsl(sent.decode())) if is_form else json.loads(sent))
            self.do_GET()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            script.asked.append((parts.path, query, dict(self.headers)))
            answer = script.answer(parts.path, query)
            time.sleep(answer.wait)
            if answer.drop:
                self.close_connection = True
                return
            headers = {"Content-Length": str(len(answer.content)), **answer.headers}
            lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
            try:
                self.wfile.write("\r\n".join([*lines, "", ""]).encode() + answer.content[: answer.cut])
            except OSError:  # the client has stopped waiting
                self.close_connection = True
            if answer.cut is not None:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
