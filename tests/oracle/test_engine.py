"""The scoring SQL against the oracle, on random companies: every measure, score, bound, band, contribution and change.

All companies are scored in one file, in two runs: the days before the second version, then those from it on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dagster_project.components import dbt_process
from dagster_project.components.config_assets import with_older_versions
from dagster_project.components.dbt_models import dbt_environment
from dagster_project.config_file import read_document
from dagster_project.scorecards.alerts import AlertRules
from dagster_project.scorecards.load import LoadedScorecard
from dagster_project.scorecards.schema import Scorecard
from dagster_project.scorecards.tables import config_tables
from dagster_project.settings import PROJECT_ROOT, load_settings
from dagster_project.warehouse import replace_tables
from tests.oracle import scoring
from tests.oracle.companies import CHANGE_AT, OFFSETS, Company, companies, day
from tests.oracle.drawing import drawn
from tests.oracle.scoring import Card, Scored

A_FEW, HOW_MANY = 150, 1000  # in `make test`, in `make acceptance`
TOLERANCE = 1e-9
LENSES = ("overall", "beside", "whole")
MODELS = (
    "int_scorecards_matched", "int_scorecards_in_force", "int_scorecards_applied", "int_peer_values",
    "int_own_baselines", "int_measure_scores",
    "int_group_scores", "int_raw_scores", "int_adjustments", "int_scores_of_measures", "int_lens_scores",
    "int_scores_of_lenses", "int_contributions", "int_health_scores",
    "int_bridged_scores", "fct_health_scores", "fct_measure_scores", "int_score_pairs", "fct_score_changes",
)  # fmt: skip
INPUTS = """
create schema intermediate; create schema measures; create schema raw_meta;
create table intermediate.int_accounts__days (
    account_id varchar, day date, segment varchar, plan varchar, lifecycle_stage varchar, industry varchar,
    region varchar, owner varchar, arr decimal(18, 4), account_age_days bigint
);
create table measures.int_measures (
    account_id varchar, day date, measure varchar, value double, sample_size bigint, observed_at date
);
create view measures.int_measures_kept as select * from measures.int_measures;
create table intermediate.int_judgement__overrides (
    account_id varchar, kind varchar, score decimal(18, 4), reason varchar, author varchar, starts_on date,
    known_day date, expires_on date
);
create table intermediate.int_usage__outages (day date, accounts_seen integer, accounts_usual integer);
create table raw_meta.fact_days (day date);
"""


def spec(card: Card, account: str, version: str) -> Scorecard:
    """The scorecard as the project reads it, for this account alone."""
    name = f"{card.get('lens', 'overall')}_of_{account.lower()}"
    document = {"scorecard": name, "title": account, "version": version}
    return Scorecard.model_validate({**document, "applies_to": {"segment": [account]}, **card})


@dataclass
class Engine:
    """What the SQL made of the companies, by account, lens and day."""

    companies: dict[str, Company]
    scores: dict[tuple[str, str, date], dict[str, Any]]
    measures: dict[tuple[str, str, date], dict[str, dict[str, Any]]]
    changes: dict[tuple[str, str, date, int], dict[tuple[str, str | None], float | None]]

    @cached_property
    def peers(self) -> dict[int, scoring.Peers]:
        """All known values of each day, by measure."""
        found: dict[int, scoring.Peers] = {offset: {} for offset in OFFSETS}
        for company in self.companies.values():
            for offset, known in company.facts.items():
                for name, fact in known.items():
                    if fact is not None:
                        found[offset].setdefault(name, []).append(fact[0])
        return found

    def by_oracle(self, company: Company, lens: str, offset: int, card: Card | None = None) -> Scored:
        """A day of a company in a lens, under the scorecard in force or another."""
        facts, overrides = company.facts[offset], company.overrides.get(offset, [])
        if lens == "whole":
            parts = {part: self.by_oracle(company, part, offset) for part in ("overall", "beside")}
            return scoring.of_lenses(company.whole, parts, overrides, company.age + offset)
        if lens == "beside":
            card = company.beside
        return scoring.scored(card or company.card(offset), facts, overrides, self.peers[offset], company.age + offset)


class Warehouse:
    """A file with what the scoring models read, and nothing else."""

    def __init__(self, folder: Path, members: dict[str, Company]) -> None:
        self._folder, self._file, self._companies = folder, folder / "warehouse.duckdb", members
        self._shipped = load_settings(environ={})
        self._document = read_document(PROJECT_ROOT / "config" / "scorecards" / "standard.yml")
        with self.opened() as connection:
            connection.execute(INPUTS)
            connection.execute("begin")
            for account, company in members.items():
                self._fill(connection, account, company)
            connection.execute("commit")

    def opened(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self._file))

    def _fill(self, connection: duckdb.DuckDBPyConnection, account: str, company: Company) -> None:
        facts = [
            (account, day(offset), name, fact[0], day(offset) - timedelta(days=fact[1]))
            for offset, known in company.facts.items()
            for name, fact in known.items()
            if fact is not None
        ]
        if facts:
            connection.executemany("insert into measures.int_measures values (?, ?, ?, ?, 1, ?)", facts)
        for offset, overrides in company.overrides.items():
            for one in overrides:
                row = [account, one.kind, one.score, day(offset), day(offset), day(offset + 1)]
                connection.execute(
                    "insert into intermediate.int_judgement__overrides values (?, ?, ?, 'because', 'CSM', ?, ?, ?)", row
                )

    def run(self, offsets: list[int], version: str) -> None:
        """Score these days, all by their scorecards of this version."""
        loaded = [
            LoadedScorecard(spec(card, account, version if "lens" not in card else "1"), self._document, position)
            for position, (account, company) in enumerate(self._companies.items(), start=1)
            for card in (company.card(offsets[0]), {**company.beside, "lens": "beside"}, company.whole)
        ]
        with self.opened() as connection:
            if version == "1":
                connection.execute("create schema raw_config")
                tables = config_tables(self._shipped, loaded, AlertRules())
            else:
                tables = with_older_versions(connection, config_tables(self._shipped, loaded, AlertRules()))
            replace_tables(connection, "raw_config", tables)
            names = ("from_day", "to_day", "windows_from_day", "facts_from_day", "facts_to_day")
            bounds = (day(offsets[0]), day(offsets[-1]))
            run_days = {name: pa.array([bounds[name.endswith("to_day")]], pa.date32()) for name in names}
            replace_tables(connection, "raw_meta", {"run_days": pa.table(run_days)})
            # A run holds the accounts of its own days only.
            connection.execute("delete from intermediate.int_accounts__days")
            connection.executemany(
                "insert into intermediate.int_accounts__days (account_id, day, segment, arr, account_age_days) "
                "values (?, ?, ?, 1000, ?)",
                [
                    (account, day(offset), account, company.age + offset)
                    for account, company in self._companies.items()
                    for offset in offsets
                ],
            )
        self._build()

    def _build(self) -> None:
        project, target = str(PROJECT_ROOT / "dbt_project"), str(self._folder / "target")
        if not Path(target).exists():
            Path(target).mkdir()
            shutil.copy(PROJECT_ROOT / "dbt_project" / "target" / "partial_parse.msgpack", target)
        command = [
            sys.executable, "-P", "-m", dbt_process.__name__, *dbt_process.QUIETLY, "run",
            "--select", *MODELS, "--project-dir", project, "--profiles-dir", project,
            "--target-path", target, "--log-path", target,
        ]  # fmt: skip
        environ = {**os.environ, **dbt_environment(self._shipped), "HEALTH_WAREHOUSE": str(self._file)}
        environ["HEALTH_TEMP"] = str(self._folder / "tmp")
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def result(self) -> Engine:
        """Everything the marts hold."""
        with self.opened() as connection:
            scores = _rows(connection, "select * from marts.fct_health_scores")
            measures = _rows(connection, "select * from marts.fct_measure_scores")
            changes = _rows(connection, "select * from marts.fct_score_changes")
        by_day: dict[tuple[str, date], dict[str, dict[str, Any]]] = {}
        for row in measures:
            by_day.setdefault((row["account_id"], row["lens"], row["day"]), {})[row["measure"]] = row
        split: dict[tuple[str, str, date, int], dict[tuple[str, str | None], float | None]] = {}
        for row in changes:
            key = (row["account_id"], row["lens"], row["day"], row["span_days"])
            split.setdefault(key, {})[row["effect"], row["measure"]] = row["points"]
        assert len(scores) == len(self._companies) * len(OFFSETS) * len(LENSES)
        by_lens = {(row["account_id"], row["lens"], row["day"]): row for row in scores}
        return Engine(self._companies, by_lens, by_day, split)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module", params=[A_FEW, pytest.param(HOW_MANY, marks=pytest.mark.long)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    members = {f"C{number}": company for number, company in enumerate(drawn(companies(), request.param))}
    warehouse = Warehouse(tmp_path_factory.mktemp("oracle"), members)
    warehouse.run([offset for offset in OFFSETS if offset < CHANGE_AT], "1")
    warehouse.run([offset for offset in OFFSETS if offset >= CHANGE_AT], "2")
    return warehouse.result()


def everywhere(engine: Engine) -> Iterator[tuple[str, Company, str, int]]:
    for account, company in engine.companies.items():
        yield from ((account, company, lens, offset) for lens in LENSES for offset in OFFSETS)


def near(one: float | None, other: float | None) -> bool:
    """Both not known, or equal to the tolerance."""
    return one is other is None or (one is not None and other is not None and abs(one - other) <= TOLERANCE)


def simplest(found: list[tuple[Any, ...]]) -> str:
    """How many differ, and the one with the least to read."""
    return f"{len(found)} differ, such as {min(found, key=lambda one: len(repr(one)))!r}" if found else ""


def test_there_are_as_many_companies_as_promised(engine: Engine) -> None:
    """And of the kinds that matter: with and without a score, red to green, with exceptions, with another version."""
    count = len(engine.companies)
    assert count in (A_FEW, HOW_MANY)
    assert {row["band"] for row in engine.scores.values()} == {"red", "yellow", "green", "insufficient_data"}
    assert sum(company.before != company.after for company in engine.companies.values()) > count / 5
    effects = {effect for split in engine.changes.values() for effect, _ in split}
    assert effects == {
        "value", "weight", "appeared", "disappeared", "exception", "override", "version",
        "became_scored", "became_unscored",
    }  # fmt: skip


def test_scores_bounds_and_bands(engine: Engine) -> None:
    columns = {
        "raw_score": "raw", "score": "score", "coverage": "coverage", "score_low": "low", "score_high": "high",
        "exception_effect": "exception_effect", "override_effect": "override_effect",
    }  # fmt: skip
    found = []
    for account, company, lens, offset in everywhere(engine):
        row, ours = engine.scores[account, lens, day(offset)], engine.by_oracle(company, lens, offset)
        wrong = [name for name, field in columns.items() if not near(row[name], getattr(ours, field))]
        if wrong or row["band"] != ours.band:
            found.append((wrong, row, ours, company.card(offset)))
    assert simplest(found) == ""


def test_measures_and_contributions(engine: Engine) -> None:
    columns = {
        "value": "value", "measure_score": "score", "weight_in_force": "weight", "contribution": "contribution",
    }  # fmt: skip
    found = []
    for account, company, lens, offset in everywhere(engine):
        rows, ours = engine.measures[account, lens, day(offset)], engine.by_oracle(company, lens, offset).measures
        assert rows.keys() == ours.keys()
        for name, one in ours.items():
            wrong = [column for column, field in columns.items() if not near(rows[name][column], getattr(one, field))]
            if rows[name]["is_ageing"] != one.is_ageing:
                wrong.append("is_ageing")
            if wrong:
                found.append((wrong, rows[name], one, company.card(offset)))
    assert simplest(found) == ""


def test_changes(engine: Engine) -> None:
    """Each effect as the oracle splits it; and together they are the difference of the scores."""
    found = []
    for account, company, lens, offset in everywhere(engine):
        for span in (1, 7, 30):
            if offset - span not in OFFSETS:
                continue
            before, after = engine.by_oracle(company, lens, offset - span), engine.by_oracle(company, lens, offset)
            bridge = engine.by_oracle(company, lens, offset, company.card(offset - span))
            ours = scoring.change(before, after, bridge)
            split = engine.changes.get((account, lens, day(offset), span), {})
            wrong = [key for key in ours.keys() | split.keys() if not _near_effect(split, ours, key)]
            if before.score is not None and after.score is not None:
                total = sum(points for points in split.values() if points is not None)
                if not near(total, after.score - before.score):
                    wrong.append(("sum", None))
            if wrong:
                found.append((wrong, {key: (split.get(key), ours.get(key)) for key in wrong}, company))
    assert simplest(found) == ""


def _near_effect(split: Any, ours: Any, key: tuple[str, str | None]) -> bool:
    if key in split and key in ours:
        return near(split[key], ours[key])
    points = split.get(key, ours.get(key))
    return points is not None and abs(points) <= TOLERANCE  # an effect of nothing may have no row
