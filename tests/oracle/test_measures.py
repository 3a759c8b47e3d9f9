"""The SQL of the measures against the oracle: 1,000 random histories, from files through the whole pipeline in one run.

Every measure of every account on six days: whether it is known, its value, how many facts it rests on, and the day of
the newest of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.settings import PROJECT_ROOT
from tests.integration.homes import Home
from tests.oracle import scoring
from tests.oracle.drawing import drawn
from tests.oracle.facts import Observation, Rows, all_facts, by_account, feeds
from tests.oracle.histories import COLUMNS, DAYS, FIRST, KEY_FEATURES, LAST, expanded, shapes
from tests.oracle.measures import measured
from tests.oracle.measures_billing import churned

pytestmark = pytest.mark.long

HOW_MANY = 1000
TOLERANCE = 1e-9
GROSS_MARGIN = 0.8
Observations = dict[tuple[str, date], dict[str, Observation]]


def write_files(rows: Rows, landing: Path) -> None:
    """One CSV file an entity; a column is named as the entity's, and an empty value is none."""
    landing.mkdir(parents=True)
    for entity, columns in COLUMNS.items():
        with (landing / f"{entity}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns.split())
            writer.writeheader()
            writer.writerows(rows[entity])


def company(folder: Path, rows: Rows) -> Home:
    """A company of these rows."""
    write_files(rows, folder / "landing")
    entities = {
        entity: {"files": f"{entity}.csv", "columns": {name: name for name in columns.split()}}
        for entity, columns in COLUMNS.items()
    }
    home = Home.make(folder / "company", folder / "landing", days={"first": FIRST, "last": LAST})
    config = yaml.safe_load((home.folder / "pipeline.yml").read_text())
    config |= {
        "key_features": KEY_FEATURES,
        "billing": {"gross_margin": GROSS_MARGIN},
        "outage_share": 1,  # no day of these few events is an outage
        "sources": {"files": {"folder": str(home.landing), "entities": entities}},
        "scorecards": str(folder / "scorecards"),
        "alerts": str(PROJECT_ROOT / "config" / "alerts.yml"),
    }
    (folder / "scorecards").mkdir()
    (folder / "scorecards" / "all.yml").write_text(yaml.safe_dump(scorecard()))
    (home.folder / "pipeline.yml").write_text(yaml.safe_dump(config))
    return home


def scorecard() -> scoring.Card:
    """Every third measure, compared in every way, every other one drawn to its peers', some with an age limit."""
    rules: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(defined_measures()[::3]):
        rules[name] = {"weight": 1, "curve": {-2: 0, 0: 30, 1: 60, 3: 80, 50: 95, 2000: 100}}
        how = (None, "peer_percentile", "own_baseline", "peer_z_score", "target")[place % 5]
        rules[name] |= {} if how is None else {"normalise": how}
        rules[name] |= {"target": 2.5} if how == "target" else {}
        rules[name] |= {"shrink_to_peers": 5} if place % 2 else {}
        rules[name] |= {"max_age_days": 21} if place % 3 else {}
    return {
        "scorecard": "all", "title": "All", "version": "1", "applies_to": "default", "coverage_floor": 1.0,
        "bands": {"red": 0, "yellow": 50, "green": 75}, "peer_group": "segment",
        "groups": {"all": {"title": "All", "weight": 1, "measures": rules}},
    }  # fmt: skip


def defined_measures() -> list[str]:
    """The names of all measures, as their models' yml files give them."""
    return [
        column["name"]
        for path in sorted((PROJECT_ROOT / "dbt_project" / "models" / "measures").glob("_measures*.yml"))
        for model in yaml.safe_load(path.read_text())["models"]
        for column in model.get("columns", [])
        if "measure" in column.get("config", {}).get("meta", {})
    ]


@dataclass
class Compared:
    """What the SQL and what the oracle make of the same facts, by account and day."""

    by_sql: Observations
    by_oracle: Observations
    home: Home


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    rows = expanded(drawn(shapes(), HOW_MANY))
    home = company(tmp_path_factory.mktemp("measures"), rows)
    home.run().succeeded()
    return Compared(_by_sql(home), _by_oracle(rows), home)


def _by_sql(home: Home) -> Observations:
    days = ", ".join(f"date '{day}'" for day in DAYS)
    customers = home.ask_warehouse(
        f"select account_id, day from intermediate.int_accounts__days_kept where day in ({days})"
    )
    found: Observations = {(account, day): {} for account, day in customers}
    for account, day, measure, *observed in home.ask_warehouse(
        "select account_id, day, measure, value, sample_size, observed_at from measures.int_measures_kept "
        f"where day in ({days})"
    ):
        found[account, day][measure] = Observation(*observed)
    return found


def _by_oracle(rows: Rows) -> Observations:
    everybody = all_facts(rows)
    found: Observations = {}
    accounts = by_account(everybody)
    for day in DAYS:
        feeds_of_day = feeds(everybody, day)
        feeds_of_day.paying_12m_ago, feeds_of_day.lost = churned(list(accounts.values()), day)
        for account, facts in accounts.items():
            known = measured(facts, feeds_of_day, day, KEY_FEATURES, GROSS_MARGIN)
            if known is not None:
                found[account, day] = known
    return found


def near(ours: float, theirs: float) -> bool:
    """Within 1e-9; of large numbers within what a double can tell apart."""
    return abs(ours - theirs) <= TOLERANCE * max(1, abs(ours) / 1000)


def differences(both_ways: Compared) -> dict[str, list[Any]]:
    """By measure and what differs, the account-days on which it does, with both observations."""
    found: dict[str, list[Any]] = {}
    for key, ours in both_ways.by_oracle.items():
        theirs = both_ways.by_sql.get(key, {})
        for name in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(name), theirs.get(name)
            if one is None or other is None:
                found.setdefault(f"{name}: known or not", []).append((key, one, other))
                continue
            wrong = [] if near(one.value, other.value) else ["value"]
            wrong += [part for part in ("sample_size", "observed_at") if getattr(one, part) != getattr(other, part)]
            for part in wrong:
                found.setdefault(f"{name}: {part}", []).append((key, one, other))
    return found


def told(found: dict[str, list[Any]]) -> str:
    """How often each differs, with one example."""
    return "\n".join(
        f"{name} differs {len(cases)} times; {key}: oracle {ours}, SQL {theirs}"
        for name, cases in sorted(found.items())
        for key, ours, theirs in cases[:1]
    )


def test_there_is_something_to_compare(both_ways: Compared) -> None:
    """Every measure that there is is known in hundreds of places."""
    known: dict[str, int] = {}
    for one in both_ways.by_sql.values():
        for name in one:
            known[name] = known.get(name, 0) + 1
    print(len(both_ways.by_sql), known)
    assert len(both_ways.by_sql) > 3 * HOW_MANY
    assert known.keys() == set(defined_measures())
    assert all(count > 100 for count in known.values()), known


def test_customers(both_ways: Compared) -> None:
    """The same accounts are customers on the same days."""
    assert both_ways.by_sql.keys() == both_ways.by_oracle.keys()


def test_measures(both_ways: Compared) -> None:
    """Known or not, value, sample_size and observed_at."""
    assert told(differences(both_ways)) == ""


def measure_scores(home: Home, day: date) -> dict[str, dict[str, float | None]]:
    """The scores of a day by measure and account, as the oracle makes them of the SQL's values."""
    card = scorecard()
    known: dict[str, dict[str, Observation]] = {}
    for account, measure, *observed in home.ask_warehouse(
        "select account_id, measure, value, sample_size, observed_at from measures.int_measures_kept "
        f"where day = '{day}'"
    ):
        known.setdefault(account, {})[measure] = Observation(*observed)
    past: dict[str, dict[str, list[float]]] = {}
    for account, measure, value in home.ask_warehouse(
        "select account_id, measure, value from measures.int_measures_kept "
        f"where day between '{day - timedelta(days=84)}' and '{day - timedelta(days=28)}'"
    ):
        past.setdefault(account, {}).setdefault(measure, []).append(value)
    groups: dict[str | None, list[str]] = {}
    for account, segment in home.ask_warehouse(
        f"select account_id, segment from intermediate.int_accounts__days_kept where day = '{day}'"
    ):
        groups.setdefault(segment, []).append(account)
    found: dict[str, dict[str, float | None]] = {}
    for accounts in groups.values():
        peers = {
            name: [known[one][name].value for one in accounts if name in known.get(one, {})]
            for name in defined_measures()
        }
        scores = {
            one: scoring.scores_of(
                card,
                {name: (seen.value, (day - seen.observed_at).days) for name, seen in known.get(one, {}).items()},
                peers,
                400,
                past.get(one, {}),
            )
            for one in accounts
        }
        for name, (_, rule) in scoring.rules(card).items():
            sizes = {one: known[one][name].sample_size for one in accounts if name in known.get(one, {})}
            of_peers = {one: scores[one][name] for one in accounts}
            found.setdefault(name, {}).update(scoring.shrunk(rule, of_peers, sizes))
    return found


@pytest.mark.parametrize("day", DAYS)
def test_scores_among_peers_and_against_the_past(both_ways: Compared, day: date) -> None:
    """Percentile and z-score within the segment, own baseline, target; and thin samples drawn to the mean."""
    rows = both_ways.home.ask_warehouse(
        f"select account_id, measure, measure_score from marts.fct_measure_scores where day = '{day}'"
    )
    theirs = {(account, measure): score for account, measure, score in rows}
    wrong: dict[str, list[Any]] = {}
    for measure, scores in measure_scores(both_ways.home, day).items():
        for account, ours in scores.items():
            other = theirs.pop((account, measure))
            if (ours is None) != (other is None) or (ours is not None and not near(ours, other)):
                wrong.setdefault(measure, []).append((account, ours, other))
    assert theirs == {}
    assert told(wrong) == ""
    if day == LAST:
        compared_so = {
            name for name, (_, rule) in scoring.rules(scorecard()).items() if "own" in rule.get("normalise", "")
        }
        assert compared_so <= {measure for _, measure, score in rows if score is not None}
