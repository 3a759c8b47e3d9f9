"""The SQL of the measures against the oracle: 1,000 random histories, from files through the whole pipeline in one run.

Every measure of every account on six days: whether it is known, its value, how many facts it rests on, and the day of
the newest of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from dagster_project.settings import PROJECT_ROOT
from tests.integration.homes import Home, end_all
from tests.oracle.facts import Observation, Rows, all_facts, by_account, feeds
from tests.oracle.histories import COLUMNS, DAYS, FIRST, KEY_FEATURES, LAST, Shape, expanded, shapes
from tests.oracle.measures import measured

pytestmark = pytest.mark.long

HOW_MANY = 1000
TOLERANCE = 1e-9
Observations = dict[tuple[str, date], dict[str, Observation]]


def drawn(count: int) -> list[Shape]:
    """So many shapes, as hypothesis draws them."""
    found: list[Shape] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(shapes())
    def draw(shape: Shape) -> None:
        found.append(shape)

    draw()
    return found[:count]


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
        "sources": {"files": {"folder": str(home.landing), "entities": entities}},
        "scorecards": str(PROJECT_ROOT / "config" / "scorecards"),
        "alerts": str(PROJECT_ROOT / "config" / "alerts.yml"),
    }
    (home.folder / "pipeline.yml").write_text(yaml.safe_dump(config))
    return home


@dataclass
class Compared:
    """What the SQL and what the oracle make of the same facts, by account and day."""

    by_sql: Observations
    by_oracle: Observations
    rows: Rows


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    rows = expanded(drawn(HOW_MANY))
    home = company(tmp_path_factory.mktemp("measures"), rows)
    try:
        home.run().succeeded()
    finally:
        end_all()
    return Compared(_by_sql(home), _by_oracle(rows), rows)


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
    for day in DAYS:
        feeds_of_day = feeds(everybody, day)
        for account, facts in by_account(everybody).items():
            known = measured(facts, feeds_of_day, day, KEY_FEATURES)
            if known is not None:
                found[account, day] = known
    return found


def near(ours: float, theirs: float) -> bool:
    """Within 1e-9; of large numbers within what a double can tell apart."""
    return abs(ours - theirs) <= TOLERANCE * max(1, abs(ours) / 1000)


def differences(compared: Compared) -> dict[str, list[Any]]:
    """By measure and what differs, the account-days on which it does, with both observations."""
    found: dict[str, list[Any]] = {}
    for key, ours in compared.by_oracle.items():
        theirs = compared.by_sql.get(key, {})
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


def test_there_is_something_to_compare(compared: Compared) -> None:
    """Every measure is known in hundreds of places and, except for those of a live feed, not known in hundreds."""
    known: dict[str, int] = {}
    for one in compared.by_sql.values():
        for name in one:
            known[name] = known.get(name, 0) + 1
    print(len(compared.by_sql), known)
    assert len(compared.by_sql) > 3 * HOW_MANY
    assert all(count > 100 for count in known.values()), known


def test_customers(compared: Compared) -> None:
    """The same accounts are customers on the same days."""
    assert compared.by_sql.keys() == compared.by_oracle.keys()


def test_measures(compared: Compared) -> None:
    """Known or not, value, sample_size and observed_at."""
    assert told(differences(compared)) == ""
