"""Manners towards an API, against a real server on loopback that misbehaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_server import Answer, Script, served

from dagster_project import http_client
from dagster_project.http_client import (
    ATTEMPTS,
    LONGEST_WAIT,
    BadRequestError,
    Basic,
    Bearer,
    Client,
    Header,
    NotFoundError,
    ProviderError,
    WrongKeyError,
    code_of,
    walk,
)

KEY = "sk_live_very_secret"
GOOD = Answer({"data": [1]})


@pytest.fixture
def server() -> Iterator[Script]:
    with served(Script()) as script:
        yield script


class Waiting:
    """A client whose waits are noted and not waited."""

    def __init__(self, server: Script, jitter: float = 1.0) -> None:
        self.waits: list[float] = []
        self.client = Client(
            "acme", server.url, Bearer(KEY), "Check the key in ACME_KEY: it needs read access to Tickets",
            sleep=self.waits.append, jitter=lambda: jitter, timeouts=(1.0, 0.3),
        )  # fmt: skip


@pytest.fixture
def waiting(server: Script) -> Iterator[Waiting]:
    found = Waiting(server)
    yield found
    found.client.close()


def test_the_key_goes_along_and_nothing_waits(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things", GOOD)
    assert waiting.client.get("/v1/things", {"limit": "2"}) == {"data": [1]}
    ((path, query, headers),) = server.asked
    assert (path, query, headers["Authorization"]) == ("/v1/things", {"limit": "2"}, f"Bearer {KEY}")
    assert waiting.waits == []


def test_a_netrc_file_does_not_replace_the_key(
    server: Script, waiting: Waiting, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.say("/v1/things", GOOD)
    waiting.client.get("/v1/things")
    assert server.asked[0][2]["Authorization"] == f"Bearer {KEY}"


def test_retry_after_is_obeyed_in_seconds(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things", Answer({}, 429, {"Retry-After": "7"}), GOOD)
    assert waiting.client.get("/v1/things") == {"data": [1]}
    assert waiting.waits == [7.0]


def test_retry_after_is_obeyed_as_a_date(server: Script, waiting: Waiting) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server.say("/v1/things", Answer({}, 429, {"Retry-After": until}), GOOD)
    waiting.client.get("/v1/things")
    assert 80 < waiting.waits[0] <= 90


def test_a_provider_that_closes_for_hours_ends_the_run(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things", Answer({}, 429, {"Retry-After": "7200"}))
    with pytest.raises(ProviderError, match="closed to us for 7200 s"):
        waiting.client.get("/v1/things")
    assert len(server.asked) == 1


def test_without_retry_after_a_429_waits_longer_each_time(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things", Answer({}, 429), Answer({}, 429), Answer({}, 429, {"Retry-After": "soon"}), GOOD)
    waiting.client.get("/v1/things")
    assert waiting.waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "bad",
    [
        Answer({}, 500),
        Answer({}, 503),
        Answer(drop=True),
        Answer({"data": [1, 2, 3]}, cut=5),
        Answer(b'{"data": [1, 2'),
        Answer({}, wait=0.6),
    ],
    ids=["500", "503", "dropped", "cut", "truncated", "silent"],
)
def test_what_may_pass_is_tried_again(server: Script, waiting: Waiting, bad: Answer) -> None:
    server.say("/v1/things", bad, bad, GOOD)
    assert waiting.client.get("/v1/things") == {"data": [1]}
    assert waiting.waits == [1.0, 2.0]
    assert waiting.client.calls == 3


def test_the_tries_have_an_end_and_waits_a_bound(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things", Answer({"secret": KEY}, 500))
    with pytest.raises(ProviderError, match=rf"/v1/things failed {ATTEMPTS} times, last with: status 500"):
        waiting.client.get("/v1/things", {"starting_after": "cus_private"})
    assert len(server.asked) == ATTEMPTS
    assert waiting.waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waiting.client._growing(30) == LONGEST_WAIT


def test_waits_are_jittered(server: Script) -> None:
    assert Waiting(server, jitter=0.0).client._growing(3) == 2.0
    assert Waiting(server, jitter=0.5).client._growing(3) == 3.0


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_says_which_variable_and_permission(server: Script, waiting: Waiting, status: int) -> None:
    server.say("/v1/things", Answer({"error": f"bad key {KEY}"}, status))
    with pytest.raises(WrongKeyError) as raised:
        waiting.client.get("/v1/things")
    assert str(raised.value) == (
        f"acme: /v1/things was refused ({status}). Check the key in ACME_KEY: it needs read access to Tickets"
    )
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (400, ProviderError), (302, ProviderError)])
def test_other_refusals_are_not_tried_again(
    server: Script, waiting: Waiting, status: int, error: type[Exception]
) -> None:
    server.say("/v1/things", Answer({}, status, {"Location": "/v1/elsewhere"}))
    with pytest.raises(error):
        waiting.client.get("/v1/things")
    assert server.paths() == ["/v1/things"]


def test_nobody_there_is_said_plainly(server: Script, waiting: Waiting) -> None:
    waiting.client.base_url = "http://127.0.0.1:1"
    with pytest.raises(ProviderError, match="the connection failed"):
        waiting.client.get("/v1/things")


def test_neither_key_nor_body_nor_query_reaches_a_log_or_an_error(
    server: Script, waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.say("/v1/things", Answer({"name": "Jane Roe"}, 500), Answer(b"Jane Roe"), Answer({"name": "Jane Roe"}, 400))
    with pytest.raises(ProviderError) as raised:
        waiting.client.get("/v1/things", {"email": "jane@example.com"})
    told = caplog.text + str(raised.value) + repr(raised.value.__cause__) + repr(waiting.client)
    assert [word for word in (KEY, "Jane", "jane@") if word in told] == []


def pages(*given: tuple[list[int], str | None]) -> list[Any]:
    remaining = list(given)

    def fetch(cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        numbers, following = remaining.pop(0)
        return [{"id": number} for number in numbers], following

    return [[record["id"] for record in records] for records, _ in walk("acme: /v1/things", None, fetch)]


def test_pages_are_walked_to_the_end() -> None:
    assert pages(([1, 2], "a"), ([3], "b"), ([], None)) == [[1, 2], [3], []]


def test_a_cursor_that_does_not_move_is_an_error() -> None:
    with pytest.raises(ProviderError, match="the cursor does not move on"):
        pages(([1], "a"), ([2], "a"), ([3], "a"))


def test_cursors_that_go_round_are_an_error() -> None:
    with pytest.raises(ProviderError, match="the cursor does not move on"):
        pages(([1], "a"), ([2], "b"), ([3], "a"))


def test_a_page_that_repeats_is_an_error() -> None:
    with pytest.raises(ProviderError, match="the same page came twice"):
        pages(([1], "a"), ([2], "b"), ([2], "c"))


def test_every_call_has_time_outs() -> None:
    assert Client("acme", "http://127.0.0.1:1", Bearer(KEY), "").timeouts == http_client.TIMEOUTS == (10.0, 60.0)


def test_a_question_is_posted_and_a_list_is_read(server: Script, waiting: Waiting) -> None:
    server.say("/v1/search", Answer({}, status=502), GOOD)
    assert waiting.client.post("/v1/search", {"limit": 2}) == {"data": [1]}
    assert server.bodies == [{"limit": 2}, {"limit": 2}]
    server.say("/v1/list", Answer([{"id": 1}]), Answer([]), Answer({"errors": []}), Answer([1]))
    assert waiting.client.get_list("/v1/list") == [{"id": 1}]
    assert waiting.client.get_list("/v1/list") == []
    for _ in range(2):
        with pytest.raises(ProviderError, match=r"acme: /v1/list answered with something that is no list"):
            waiting.client.get_list("/v1/list")


def test_the_key_stays_with_the_server_that_config_names(server: Script, waiting: Waiting) -> None:
    assert waiting.client.path_of(f"{server.url}/v1/list?page=2&size=9") == ("/v1/list", {"page": "2", "size": "9"})
    assert waiting.client.path_of("/v1/list?page=2") == ("/v1/list", {"page": "2"})
    for other in ("https://elsewhere.example/v1/list", f"{server.url}0/v1/list", "//elsewhere.example/v1"):
        with pytest.raises(ProviderError, match="on another server"):
            waiting.client.path_of(other)


def test_what_is_written_is_sent_again_until_it_is_answered(server: Script, waiting: Waiting) -> None:
    server.say("/v1/things/7", Answer(drop=True), Answer({}, 429), Answer({"errors": [1]}, 207))
    assert waiting.client.write("POST", "/v1/things/7", {"size": 2}) == {"errors": [1]}
    assert waiting.client.write("POST", "/v1/things/7", {"size": "3"}, form=True) == {"errors": [1]}
    assert server.bodies == [{"size": 2}] * 3 + [{"size": "3"}]


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequestError), (409, BadRequestError), (404, NotFoundError)])
def test_a_refusal_carries_the_providers_word_for_it(
    server: Script, waiting: Waiting, status: int, kind: type[ProviderError]
) -> None:
    server.say("/v1/things", Answer({"category": "VALIDATION_ERROR", "message": "Jane Roe"}, status))
    with pytest.raises(kind) as raised:
        waiting.client.write("POST", "/v1/things", {})
    assert raised.value.code == "VALIDATION_ERROR"
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"category": "VALIDATION_ERROR", "errors": [{"code": "PROPERTY_DOESNT_EXIST"}, {"code": "X"}]},
         "VALIDATION_ERROR/PROPERTY_DOESNT_EXIST"),
        ([{"errorCode": "INVALID_FIELD", "message": "No such column 'x'"}], "INVALID_FIELD"),
        ([{"statusCode": "REQUIRED_FIELD_MISSING", "fields": ["Name"]}], "REQUIRED_FIELD_MISSING"),
        ({"error": {"type": "invalid_request_error", "code": "resource_missing"}}, "resource_missing"),
        ({"error": {"type": "invalid_request_error"}}, "invalid_request_error"),
        ({"category": "jane@example.com"}, ""), ({"code": 17}, ""), ([], ""), ("text", ""), (None, ""), ([None], ""),
    ],
)  # fmt: skip
def test_a_word_is_taken_and_no_sentence(told: object, word: str) -> None:
    assert code_of(told) == word


def test_keys_in_other_headers(server: Script) -> None:
    server.say("/v1/things", GOOD)
    for auth, expected in (
        (Header("X-Key", KEY), {"X-Key": KEY}),
        (Basic("me", "pw"), {"Authorization": "Basic bWU6cHc="}),
    ):
        client = Client("acme", server.url, auth, "", headers={"Acme-Version": "2"})
        assert client.get("/v1/things") == {"data": [1]}
        client.close()
        assert {**expected, "Acme-Version": "2"}.items() <= server.asked[-1][2].items()
        assert KEY not in repr(client)
