"""PostHog's connector against a server on loopback that answers its one query as PostHog does, and then does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_company import EARLY, KEY, LATE, NOW, ApiCompany, Provider
from scripted_server import Answer, served

from dagster_project.connectors import posthog, providers
from dagster_project.http_client import ProviderError, WrongKeyError


class FakePosthog(Provider):
    """Events as (arrived, id, event, happened, person, account, domain, email domain)."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int, str, str, int, str, str | None, None, str | None]] = []

    def told(self, path: str, query: dict[str, str]) -> Answer:
        assert path == "/api/projects/7/query/"
        asked = self.bodies[-1]["query"]
        assert asked["kind"] == "HogQLQuery"
        text, values = asked["query"], asked["values"]
        if "count()" in text:
            return Answer({"results": [[len(self.events)]]})
        assert set(re.findall(r"\{(\w+)\}", text)) == set(values), "every place has its value, and no other"
        names = [value for name, value in values.items() if name.startswith("event_")]
        found = sorted(
            one for one in self.events if one[:2] > (values["after"], values["last"]) and (not names or one[2] in names)
        )
        limit = int(text.rpartition("limit ")[2])
        rows = [[one[1], one[2], one[3], one[0], *one[4:]] for one in found[:limit]]
        return Answer({"results": rows, "columns": []})

    def put(self, one: str, arrived: int, account: str | None = "A1", event: str = "export", late: int = 0) -> None:
        self.events.append((arrived, one, event, arrived - late, f"person-{one}", account, None, "one.example"))


@pytest.fixture
def server() -> Iterator[FakePosthog]:
    with served(FakePosthog()) as started:
        assert isinstance(started, FakePosthog)
        for number in range(5):
            started.put(f"e{number}", NOW - 90_000 + number // 3)  # three of one second: more than a page
        yield started


@pytest.fixture
def company(tmp_path: Path, server: FakePosthog, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiCompany]:
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    monkeypatch.setattr("dagster_project.http_client.FIRST_WAIT", 0.001)
    monkeypatch.setattr(posthog, "PAGE", 2)
    match = {"by": ["external_id", "email_domain"], "external_id": "group_0.key"}
    made = ApiCompany(tmp_path, "posthog", server, match=match, project=7)
    yield made
    made.con.close()


def test_the_first_load_reads_everything_once(company: ApiCompany, server: FakePosthog) -> None:
    assert company.load().by_table == {"events": 5}
    columns = "id, event, occurred_at::varchar, person_id, external_id, email_domain"
    assert company.rows(f"select {columns} from raw_posthog.events order by id limit 1") == [
        ("e0", "export", "2026-05-27 19:26:40", "person-e0", "A1", "one.example")
    ]
    text = server.bodies[0]["query"]["query"]
    assert "nullIf(toString(group_0.key), '')" in text
    assert "splitByChar('@', toString(person.properties.email))[2]" in text, "the address itself stays where it is"
    assert "toIntervalDay" not in text, "all of the history"
    assert KEY not in company.stored()


def test_the_second_load_asks_only_for_what_has_arrived(company: ApiCompany, server: FakePosthog) -> None:
    company.load()
    server.put("late", NOW + 60, late=5 * 86_400)
    assert company.load(LATE, NOW + 7200).by_table == {"events": 1}
    asked = server.bodies[0]["query"]
    assert asked["values"] == {"after": NOW - 90_000 + 1 - 3600, "last": "", "days": 1 + 30}
    assert "timestamp >= now() - toIntervalDay({days})" in asked["query"]
    assert company.rows(
        "select day::varchar from raw_meta.open_days where entity = 'usage_events' order by day"
    ) == [("2026-05-27",), ("2026-05-28",)], "an event counts from the day on which it arrived"  # fmt: skip


def test_an_event_is_a_row_once_whatever_has_become_of_its_person(company: ApiCompany, server: FakePosthog) -> None:
    company.load()
    server.events = [(*one[:5], "A2", *one[6:]) for one in server.events]
    landed = company.load(LATE, NOW + 60)
    assert (landed.new, landed.rejected) == (0, 0)
    assert company.rows("select distinct external_id from raw_posthog.events") == [("A1",)]


def test_only_the_events_of_config_are_asked_for(company: ApiCompany, server: FakePosthog) -> None:
    company.source["events"] = ["export", "it's done"]
    server.put("x", NOW - 50, event="it's done")
    server.put("y", NOW - 50, event="$pageview")
    assert company.load().by_table == {"events": 6}
    asked = server.bodies[0]["query"]
    assert "it's" not in asked["query"], "values never stand in the query"
    assert asked["values"]["event_1"] == "it's done"


def test_a_load_that_was_cut_off_goes_on_where_it_was(company: ApiCompany, server: FakePosthog) -> None:
    server.put("last", NOW)
    server.break_at = {number: Answer({}, status=500) for number in range(3, 30)}
    with pytest.raises(ProviderError, match=r"/query/ failed 6 times"):
        company.load()
    server.break_at = {}
    company.source["look_back_minutes"] = 1
    company.load(EARLY, NOW + 60)
    asked = server.bodies[0]["query"]
    assert asked["values"]["after"] == NOW - 90_000 + 1 - 60
    assert "toIntervalDay" not in asked["query"], "what happened long before it arrived is history, too"
    company.load(EARLY, NOW + 120)
    assert "toIntervalDay" in server.bodies[0]["query"]["query"]
    assert company.rows("select count(*), count(distinct id) from raw_posthog.events") == [(6, 6)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"results": [["a", "e", 1, 2, None, "A", None, None]] * 2}, "would never end"),
        ({"results": [["a", "e"]]}, "answered with other columns than asked for"),
        ({"detail": "x"}, "answered without rows in `results`; check `url` and `project`"),
    ],
)
def test_an_answer_that_is_none_ends_with_an_error(
    company: ApiCompany, server: FakePosthog, answer: Any, said: str
) -> None:
    server.break_at = dict.fromkeys(range(1, 9), Answer(answer))
    with pytest.raises(ProviderError, match=said):
        company.load()


def test_a_wrong_key_says_which_it_has_to_be(company: ApiCompany, server: FakePosthog) -> None:
    server.break_at = {1: Answer({"detail": "no"}, status=403)}
    with pytest.raises(WrongKeyError, match=r"key in PROVIDER_KEY: it has to be a personal API key with") as error:
        company.load()
    assert KEY not in str(error.value)


def test_a_probe(company: ApiCompany) -> None:
    found = providers.probe_provider(company.settings, "posthog")
    assert found == "the key is good, there were 5 events in the last day"
