"""How every API is called: time-outs, retries, limits, and errors that say what to do. One place, for all providers.

    client = Client("stripe", "https://api.stripe.com", Bearer(key), wrong_key="...")
    page = client.get("/v1/invoices", {"limit": "100"})
    found = client.post("/crm/v3/objects/companies/search", {"limit": 100})
    answer = client.write("PATCH", "/services/data/v62.0/composite/sobjects/Account/Id", {"records": [...]})

Nothing here logs, and no error carries a body, a key or a query: a body may hold personal data.
"""

from __future__ import annotations

import email.utils
import json
import random
import re
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests

ATTEMPTS = 6  # the first call and five more: together about a minute of waiting
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds between two attempts; each about twice the one before
LONGEST_RETRY_AFTER = 600.0  # seconds; a provider that asks for more has closed for the day
TIMEOUTS = (10.0, 60.0)  # seconds to connect, and between two pieces of an answer
_BUSY = 429
_DONE = (200, 207)  # done; done in part, and the answer says which
_NOT_SO = (400, 409, 413, 422)  # what was asked cannot be: its form, a conflict, its size, its content

_CODES = ("code", "errorCode", "statusCode", "category", "type")  # where providers put their word for an error
_WORD = r"[A-Za-z][A-Za-z0-9_.-]{0,79}"

T = TypeVar("T")


class ProviderError(Exception):
    """A provider did not do what was asked; the text says which, what happened and what to do.

    `code` is its own word for the reason, empty where it gives none.
    """

    def __init__(self, told: str, code: str = "") -> None:
        super().__init__(told)
        self.code = code


class NotFoundError(ProviderError):
    """The provider does not have what was asked for."""


class BadRequestError(ProviderError):
    """The provider does not understand what it was asked, or cannot do it."""


class WrongKeyError(ProviderError):
    """The provider refused the key."""


class Header(requests.auth.AuthBase):
    """Sends the key in a header. Sets it by itself: one on the session would lose to a .netrc file of the user."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into the request."""
        request.headers[self._name] = self._value
        return request


class Bearer(Header):
    """The key as a bearer token."""

    def __init__(self, token: str) -> None:
        super().__init__("Authorization", f"Bearer {token}")


Basic = requests.auth.HTTPBasicAuth  # user and password; many providers take the key as one of them


@dataclass
class Client:
    """Calls one provider. `wrong_key` is the sentence for a refused key: which variable, which permission.

    `base_path` stands before every path. `calls` counts the requests sent.
    `sleep` and `jitter` (a number from 0 to 1) are for tests.
    """

    provider: str
    base_url: str
    auth: requests.auth.AuthBase = field(repr=False)
    wrong_key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    timeouts: tuple[float, float] = TIMEOUTS
    base_path: str = ""
    calls: int = 0

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.auth = self.auth
        self._session.headers.update(self.headers)

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at `path`. Raises ProviderError, or its kinds NotFoundError and WrongKeyError."""
        return self._object(path, self._call("GET", path, query or {}, {}))

    def get_list(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The JSON list of objects at `path`. Raises as `get` does."""
        answer = self._call("GET", path, query or {}, {})
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise ProviderError(f"{self.provider}: {path} answered with something that is no list of JSON objects")
        return answer

    def write(self, method: str, path: str, body: Mapping[str, Any], *, form: bool = False) -> Any:
        """Change something there; the JSON that `path` answers. At least once: an answer may be lost.

        Raises as `get`, and BadRequestError where the provider refuses what it was sent.
        """
        return self._call(method, path, {}, {"data": body} if form else {"json": body})

    def log_in(self, path: str) -> None:
        """Go on with the token that `path` gives for the key: OAuth's flow of client credentials.

        Raises as `get`.
        """
        try:
            token = self.post(path, {"grant_type": "client_credentials"}, form=True).get("access_token")
        except BadRequestError as error:  # so a client is refused that is not known
            raise WrongKeyError(f"{self.provider}: {path} was refused (400). {self.wrong_key}", error.code) from None
        if not isinstance(token, str):
            raise ProviderError(f"{self.provider}: {path} answered without an access token; check `url`")
        self._session.auth = Bearer(token)

    def post(self, path: str, body: Mapping[str, Any], *, form: bool = False) -> dict[str, Any]:
        """The JSON object that `path` answers to a question in JSON, or in a form: a search, nothing is changed.

        Raises as `get`.
        """
        return self._object(path, self._call("POST", path, {}, {"data": body} if form else {"json": body}))

    def objects(self, path: str, page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """The objects that `path` listed under a name, each with its id. Raises ProviderError for anything else."""
        records = page.get(name)
        if not isinstance(records, list) or not all(isinstance(one, dict) and one.get("id") for one in records):
            raise ProviderError(f"{self.provider}: {path} answered without a list of objects in `{name}`; check `url`")
        return records

    def path_of(self, url: str) -> tuple[str, dict[str, str]]:
        """Path and query of an address that the provider gave for the next page.

        Raises ProviderError where it is of another server: the key is sent to the one of `url` only.
        """
        given, ours = urlsplit(url), urlsplit(self.base_url)
        if (given.scheme, given.netloc) not in ((ours.scheme, ours.netloc), ("", "")):
            raise ProviderError(f"{self.provider}: the next page is said to be on another server; check `url`")
        return given.path, dict(parse_qsl(given.query))

    def _object(self, path: str, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise ProviderError(f"{self.provider}: {path} answered with something that is no JSON object")
        return answer

    def _call(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            answer, problem, wait = self._try(method, path, query, body)
            if not problem:
                return answer
            if attempt < ATTEMPTS:
                self.sleep(self._growing(attempt) if wait is None else wait)
        raise ProviderError(
            f"{self.provider}: {path} failed {ATTEMPTS} times, last with: {problem}. What came before is kept; "
            "the next run goes on from there"
        )

    def _growing(self, attempt: int) -> float:
        """Twice as long each time, a random half of it: many clients that fell together do not come back together."""
        return float(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) * (0.5 + self.jitter() / 2))

    def _try(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any]
    ) -> tuple[Any, str, float | None]:
        """One call: the answer; or what was wrong with it, and the wait that the provider asked for."""
        self.calls += 1
        address = self.base_url.rstrip("/") + self.base_path + path
        try:
            response = self._session.request(
                method, address, params=dict(query), timeout=self.timeouts, allow_redirects=False, **body
            )
        except requests.Timeout:
            return None, "no answer in time", None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return None, "the connection failed", None
        except requests.RequestException as error:  # its own text may quote the address with its query
            raise ProviderError(f"{self.provider}: {path} cannot be called ({type(error).__name__})") from None
        if response.status_code == _BUSY:
            return None, "too many requests (429)", self._retry_after(path, response.headers.get("Retry-After"))
        if response.status_code >= 500:
            return None, f"status {response.status_code}", None
        self._refuse(path, response)
        try:
            answer = json.loads(response.content)
        except ValueError:
            return None, "an answer that is not whole JSON", None
        return answer, "", None

    def _refuse(self, path: str, response: requests.Response) -> None:
        status = response.status_code
        if status in _DONE:
            return
        code = _code_of(response.content)
        if status in (401, 403):
            raise WrongKeyError(f"{self.provider}: {path} was refused ({status}). {self.wrong_key}", code)
        if status in (404, 410):
            raise NotFoundError(f"{self.provider}: {path} is not there ({status})", code)
        kind = BadRequestError if status in _NOT_SO else ProviderError
        raise kind(f"{self.provider}: {path} answered with status {status}; check `url` in pipeline.yml", code)

    def _retry_after(self, path: str, header: str | None) -> float | None:
        """Seconds that the provider asks us to wait: a number or a date."""
        wait = _seconds(header)
        if wait is not None and wait > LONGEST_RETRY_AFTER:
            raise ProviderError(
                f"{self.provider}: {path} is closed to us for {wait:.0f} s more (429, Retry-After); run again later"
            )
        return wait


def _code_of(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    return code_of(told)


def code_of(told: object) -> str:
    """The provider's own word for an error, of the first of several: a word, never a sentence, which may quote data.

    Empty where it gives none. HubSpot names a category and codes within; Stripe's lies in `error`.
    """
    if isinstance(told, list):
        return code_of(told[0]) if told else ""
    if not isinstance(told, Mapping):
        return ""
    inner = told["error"] if isinstance(told.get("error"), Mapping) else told
    words = [str(inner.get(name)) for name in _CODES if inner.get(name) is not None]
    within = code_of(inner["errors"]) if isinstance(inner.get("errors"), list) else ""
    return "/".join([*[word for word in words if re.fullmatch(_WORD, word)][:1], *filter(None, [within])])


def _seconds(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return max(float(header), 0.0)
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((until.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def walk(
    what: str, start: T | None, fetch: Callable[[T | None], tuple[list[dict[str, Any]], T | None]]
) -> Iterator[tuple[list[dict[str, Any]], T | None]]:
    """Pages from the cursor `start` on: (records, cursor of the next page; None after the last).

    Raises ProviderError where a cursor or a whole page comes again: the walk would never end.
    """
    cursors: set[Hashable] = {start}
    pages: set[int] = set()
    cursor = start
    while True:
        records, cursor = fetch(cursor)
        page = hash(json.dumps([len(records), records[:1], records[-1:]]))
        if records and page in pages:
            raise ProviderError(f"{what}: the same page came twice; stopped, or it would never end")
        if cursor is not None and cursor in cursors:
            raise ProviderError(f"{what}: the cursor does not move on; stopped, or it would never end")
        pages.add(page)
        cursors.add(cursor)
        yield records, cursor
        if cursor is None:
            return
