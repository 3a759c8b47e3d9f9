"""The hierarchy and parents' scores in SQL against the oracle, on random trees, circles, strangers and long chains."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import strategies as st

from dagster_project.components.dbt_models import dbt_environment
from dagster_project.settings import PROJECT_ROOT, load_settings
from tests.oracle.drawing import drawn
from tests.oracle.parents import Judged, Together, ancestors, issue_of, parent_score
from tests.oracle.scoring import Card

pytestmark = pytest.mark.long

HOW_MANY = 300
TOLERANCE = 1e-9
DAYS = (date(2026, 1, 1), date(2026, 1, 2))
MODELS = ("int_accounts__hierarchy", "fct_parent_scores")
INPUTS = """
create schema intermediate; create schema scoring; create schema raw_meta; create schema raw_config;
create table intermediate.int_accounts__versions (account_id varchar, parent_account_id varchar, known_from date);
create table all_scores (
    account_id varchar, day date, lens varchar, scorecard_hash varchar, scorecard_status varchar, is_bridge boolean,
    score double, arr decimal(18, 4)
);
create table raw_config.scorecards (
    scorecard_hash varchar, scorecard_id varchar, lens varchar, status varchar, position integer, is_default boolean,
    is_current boolean, coverage_floor double, effective_from date, effective_to date, parent_roll_up varchar,
    counts_own boolean
);
create table raw_config.scorecard_bands (
    scorecard_hash varchar, band varchar, lower_score double, upper_score double
);
create table raw_meta.fact_days (day date);
"""


@dataclass(frozen=True)
class Company:
    """Some accounts on two days: who belongs to whom, how each is judged, and by which of two scorecards.

    An account that is missing in `links` is not known on that day, one that is missing in `judged` is no customer.
    """

    cards: tuple[Card, Card]  # the default, and the other one
    links: tuple[dict[str, str | None], dict[str, str | None]]
    judged: tuple[dict[str, Judged], dict[str, Judged]]
    by_other: frozenset[str]

    def together(self, day: int, account: str) -> Together | None:
        """The account with those below it, on one of the days."""
        other = account in self.by_other and account in self.judged[day]
        return parent_score(self.cards[other], self.links[day], self.judged[day], account)


SCORES = st.one_of(st.none(), st.integers(0, 100).map(float), st.floats(0, 100))
ARR = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 100.25, 5000.0]), st.integers(0, 10**9).map(float))
CARDS = st.fixed_dictionaries(
    {
        "coverage_floor": st.sampled_from([0.0, 0.5, 0.7, 1.0]),
        "bands": st.just({"red": 0, "yellow": 50, "green": 75}),
        "parents": st.fixed_dictionaries(
            {"roll_up": st.sampled_from(["arr_weighted_mean", "mean", "worst"]), "counts_own": st.booleans()}
        ),
    }
)


@st.composite
def companies(draw: st.DrawFn) -> Company:
    """Often a tree; sometimes anything, with circles and strangers; sometimes one chain, longer than the levels."""
    names = [f"a{number}" for number in range(draw(st.integers(2, 15)))]
    shape = draw(st.sampled_from(["tree", "tree", "anything", "chain"]))

    def parent(place: int) -> st.SearchStrategy[str | None]:
        above = st.sampled_from(names[:place]) if place else st.none()
        if shape == "chain":
            return st.just(names[place - 1] if place else draw(st.sampled_from([None, names[-1]])))
        return above if shape == "tree" else st.one_of(st.none(), above, st.sampled_from([*names, "stranger"]))

    later = {name: draw(parent(place)) for place, name in enumerate(names)}
    before = {
        name: draw(st.one_of(st.just(above), st.none())) if shape != "chain" else above
        for name, above in later.items()
        if shape == "chain" or draw(st.integers(0, 5))
    }
    judged = tuple(
        {name: Judged(draw(SCORES), draw(ARR)) for name in links if draw(st.integers(0, 4))}
        for links in (before, later)
    )
    by_other = frozenset(draw(st.sets(st.sampled_from(names))))
    return Company((draw(CARDS), draw(CARDS)), (before, later), (judged[0], judged[1]), by_other)


def fill(file: Path, members: list[Company]) -> None:
    """Each company with a lens and accounts of its own, in one warehouse."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(INPUTS)
        connection.execute("begin")
        for number, company in enumerate(members):
            for table, rows in _rows_of(company, f"c{number}").items():
                if rows:
                    marks = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"insert into {table} values ({marks})", rows)
        connection.execute("commit")


def _rows_of(company: Company, lens: str) -> dict[str, list[tuple[Any, ...]]]:
    def named(account: str | None) -> str | None:
        return None if account is None else f"{lens}-{account}"

    rows: dict[str, list[tuple[Any, ...]]] = {
        "intermediate.int_accounts__versions": [
            (named(name), named(above), day)
            for links, day in zip(company.links, DAYS, strict=True)
            for name, above in links.items()
        ],
        "all_scores": [
            (named(name), day, lens, f"{lens}-{int(name in company.by_other)}", "active", False, one.score, one.arr)
            for judged, day in zip(company.judged, DAYS, strict=True)
            for name, one in judged.items()
        ],
        "raw_config.scorecards": [],
        "raw_config.scorecard_bands": [],
    }
    for place, card in enumerate(company.cards):
        key, policy = f"{lens}-{place}", card["parents"]
        rows["raw_config.scorecards"].append(
            (key, key, lens, "active", 2 - place, place == 0, True, card["coverage_floor"], None, None,
             policy["roll_up"], policy["counts_own"])
        )  # fmt: skip
        starts = [*card["bands"].items(), ("", 100)]
        rows["raw_config.scorecard_bands"] += [
            (key, band, start, starts[next_one][1]) for next_one, (band, start) in enumerate(starts[:-1], start=1)
        ]
    return rows


def build(file: Path, first: date, last: date) -> None:
    """Run the two models over these days."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create or replace table raw_meta.run_days as select $first::date as from_day, $last::date as to_day, "
            "$first::date as windows_from_day, $first::date as facts_from_day, $last::date as facts_to_day",
            {"first": first, "last": last},
        )
        # A run holds the scores of its own days only.
        connection.execute(
            "create or replace table scoring.int_health_scores as from all_scores where day between ? and ?",
            [first, last],
        )
    project, target = str(PROJECT_ROOT / "dbt_project"), str(file.parent / "target")
    command = [
        str(Path(sys.executable).with_name("dbt")), "--no-use-colors", "--no-version-check", "run",
        "--select", *MODELS, "--project-dir", project, "--profiles-dir", project,
        "--target-path", target, "--log-path", target,
    ]  # fmt: skip
    environ = {**os.environ, **dbt_environment(load_settings(environ={})), "HEALTH_WAREHOUSE": str(file)}
    environ["HEALTH_TEMP"] = str(file.parent / "tmp")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def members() -> list[Company]:
    return drawn(companies(), HOW_MANY)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, members: list[Company]) -> Path:
    file = tmp_path_factory.mktemp("parents") / "scratch.duckdb"
    fill(file, members)
    build(file, *DAYS)
    return file


def rows(file: Path, query: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def near(one: float | None, other: float | None) -> bool:
    return one is other is None or (one is not None and other is not None and abs(one - other) <= TOLERANCE)


def accounts(members: list[Company]) -> Iterator[tuple[str, Company, int, str]]:
    """Lens, company, day and account, for every account known on the day."""
    for number, company in enumerate(members):
        yield from ((f"c{number}", company, day, name) for day in range(len(DAYS)) for name in company.links[day])


def test_every_kind_was_drawn(members: list[Company]) -> None:
    found = [issue_of(company.links[day], name) for _, company, day, name in accounts(members)]
    assert all(found.count(issue) > 20 for issue in ("orphan", "cycle", "too_deep"))
    bands = {one.band for _, company, day, name in accounts(members) if (one := company.together(day, name))}
    assert bands == {"red", "yellow", "green", "insufficient_data"}


def test_the_hierarchy(at_once: Path, members: list[Company]) -> None:
    held: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows(at_once, "select * from intermediate.int_accounts__hierarchy"):
        for day, date_of in enumerate(DAYS):
            if row["known_from"] <= date_of and (row["known_until"] is None or date_of < row["known_until"]):
                held.setdefault((row["account_id"], day), []).append(row)
    for lens, company, day, name in accounts(members):
        found = held.get((f"{lens}-{name}", day), [])
        assert [row["issue"] for row in found if row["level"] == 0] == (
            [] if company.links[day][name] is None else [issue_of(company.links[day], name)]
        )
        above = [row["ancestor_account_id"].removeprefix(f"{lens}-") for row in found if row["level"] > 0]
        assert sorted(above) == sorted(ancestors(company.links[day], name)), company


def test_scores_bands_and_bounds(at_once: Path, members: list[Company]) -> None:
    made = {(row["account_id"], row["day"]): row for row in rows(at_once, "select * from marts.fct_parent_scores")}
    for lens, company, day, name in accounts(members):
        row, ours = made.pop((f"{lens}-{name}", DAYS[day]), None), company.together(day, name)
        if row is None or ours is None:
            assert row is ours is None, (row, ours, company)
            continue
        lowest = None if ours.lowest is None else f"{lens}-{ours.lowest}"
        assert (row["band"], row["accounts"], row["accounts_scored"], row["lowest_account_id"]) == (
            ours.band, ours.accounts, ours.accounts_scored, lowest,
        ), (row, ours, company)  # fmt: skip
        columns = {"score": "score", "coverage": "coverage", "score_low": "low", "score_high": "high"}
        for column, field in columns.items():
            assert near(row[column], getattr(ours, field)), (column, row, ours, company)
    assert made == {}


def test_day_by_day_is_the_same(at_once: Path, members: list[Company], tmp_path: Path) -> None:
    """What became known on the second day is not there yet when the first is scored alone."""
    file = tmp_path / "scratch.duckdb"
    fill(file, members)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create table later as from intermediate.int_accounts__versions where known_from = ?", [DAYS[1]]
        )
        connection.execute("delete from intermediate.int_accounts__versions where known_from = ?", [DAYS[1]])
    build(file, DAYS[0], DAYS[0])
    with duckdb.connect(str(file)) as connection:
        connection.execute("insert into intermediate.int_accounts__versions from later")
    build(file, DAYS[1], DAYS[1])
    query = "select * from marts.fct_parent_scores order by all"
    assert rows(file, query) == rows(at_once, query)
