"""Which days a run works on: planned from what the warehouse has, without a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dagster_project import run_days
from dagster_project.connectors.files import prepare
from dagster_project.run_days import (
    RunDays,
    are_marts_tested,
    days_to_score,
    last_scored,
    mark_scored,
    plan_run,
    too_late,
)
from dagster_project.settings import Days, Settings, load_settings
from dagster_project.warehouse import table_exists

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
AT = datetime(2026, 4, 1, 6)
INPUTS = "0123456789ab"


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The project's own, with other days and a look-back of 7."""
    shipped = load_settings(environ={})
    return shipped.model_copy(update={"days": Days(first=FIRST, last=LAST), "look_back_days": 7})


class Warehouse:
    """What the loader and dbt leave in a warehouse, as far as planning reads it."""

    def __init__(self, settings: Settings) -> None:
        self.connection, self.settings, self.at = duckdb.connect(), settings, AT
        prepare(self.connection)

    def arrive(self, *days: date, entity: str = "usage_events") -> None:
        """Rows of an entity that touch these days have been loaded."""
        self.at += timedelta(minutes=10)
        for day in days:
            self.connection.execute("insert into raw_meta.open_days values (?, 'files', ?, ?)", [day, entity, self.at])

    def build(self) -> None:
        """What dbt leaves of the usage facts: here only the tables; no day has rows without an account."""
        self.connection.execute("create schema if not exists intermediate")
        self.connection.execute("create table if not exists intermediate.int_usage__daily (known_day date)")
        self.connection.execute(
            "create table if not exists intermediate.int_usage__arrivals (known_day date, without_account bigint)"
        )
        self.connection.execute(
            "create or replace table intermediate.int_usage__windows (account_id varchar, day date)"
        )
        self.connection.execute(
            "insert into intermediate.int_usage__windows select 'A1', unnest(generate_series("
            "date '2025-11-01', (select to_day from raw_meta.run_days), interval 1 day))"
        )

    def run(self, first: date, last: date, *, settings: Settings | None = None, is_killed: bool = False) -> RunDays:
        """A whole run; `is_killed`: dbt has built its tables, and then the run was killed."""
        self.at += timedelta(minutes=10)
        settings = settings or self.settings
        planned = plan_run(self.connection, settings, first, last)
        self.build()
        if not is_killed:
            mark_scored(self.connection, settings, planned, INPUTS, self.at)
        return planned

    def fact_days(self) -> list[date]:
        """The days whose usage facts the last planned run builds."""
        return [day for (day,) in self.connection.execute("select day from raw_meta.fact_days order by day").fetchall()]

    def due(self, inputs: str = INPUTS) -> tuple[date, date] | None:
        """What `health run` would score by itself."""
        return days_to_score(self.connection, self.settings, LAST, inputs)


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    """Loaded from January on and scored from FIRST to LAST."""
    made = Warehouse(settings)
    made.arrive(date(2026, 1, 10), date(2026, 3, 1), date(2026, 3, 20), LAST)
    made.run(FIRST, LAST)
    yield made
    made.connection.close()


def day(number: int) -> date:
    return date(2026, 3, number)


def test_the_first_run_builds_every_fact_there_is(settings: Settings) -> None:
    made = Warehouse(settings)
    made.arrive(date(2026, 1, 10), day(1), LAST, date(2026, 5, 1))
    assert made.due() == (FIRST, LAST)
    planned = made.run(FIRST, LAST)
    assert (planned.from_day, planned.to_day, planned.too_late.days) == (FIRST, LAST, 0)
    assert made.fact_days() == [date(2026, 1, 10), day(1), LAST]
    left = made.connection.execute("select day from raw_meta.open_days").fetchall()
    assert left == [(date(2026, 5, 1),)]  # known only after the last day: not lost


def test_nothing_is_due_when_everything_is_scored(warehouse: Warehouse) -> None:
    assert warehouse.due() is None


def test_the_newest_day_is_due_again_when_its_inputs_have_changed(warehouse: Warehouse) -> None:
    assert warehouse.due("another hash") == (LAST, LAST)


def test_a_fact_within_the_look_back_reopens_its_day_and_those_after(warehouse: Warehouse) -> None:
    warehouse.arrive(day(26))
    assert warehouse.due() == (day(26), LAST)
    planned = warehouse.run(day(26), LAST)
    assert warehouse.fact_days() == [day(26)]
    assert planned.windows_from_day == day(26)
    assert warehouse.due() is None


def test_a_run_asked_for_one_day_begins_where_late_facts_reopen(warehouse: Warehouse) -> None:
    warehouse.arrive(day(26), entity="tickets")
    planned = warehouse.run(LAST, LAST)
    assert (planned.asked_from, planned.from_day) == (LAST, day(26))
    assert warehouse.fact_days() == []  # tickets are no usage


def test_a_fact_at_the_edge_of_the_look_back_counts_and_one_before_it_does_not(warehouse: Warehouse) -> None:
    warehouse.arrive(day(24))
    assert warehouse.due() == (day(24), LAST)
    warehouse.run(day(24), LAST)
    warehouse.arrive(day(23))
    assert warehouse.due() is None


def test_older_facts_wait_and_are_named_until_a_backfill_asks_for_them(
    warehouse: Warehouse, settings: Settings
) -> None:
    warehouse.arrive(day(3), day(5))
    assert warehouse.due() is None
    late = too_late(warehouse.connection, day(24))
    assert (late.days, late.from_day) == (2, day(3))
    assert "2 days have facts that came more than 7 days late" in late.told(settings)
    assert "health run --from 2026-03-03" in late.told(settings)
    assert warehouse.run(LAST, LAST).too_late == late
    assert warehouse.fact_days() == []
    planned = warehouse.run(day(3), LAST)
    assert warehouse.fact_days() == [day(3), day(5)]
    assert planned.too_late.told(settings) == ""


def test_usage_from_before_the_first_scored_day_is_worked_in_from_that_day_on(
    warehouse: Warehouse, settings: Settings
) -> None:
    """The windows of the first days look back on it, and no earlier day can be asked for."""
    warehouse.arrive(date(2026, 2, 10))
    late = too_late(warehouse.connection, day(24))
    assert "health run --from 2026-03-01" in late.told(settings)
    planned = warehouse.run(FIRST, LAST)
    assert warehouse.fact_days() == [date(2026, 2, 10)]
    assert planned.windows_from_day <= date(2026, 2, 10)
    assert too_late(warehouse.connection, day(24)).days == 0


def test_a_killed_run_is_planned_again_as_it_was(warehouse: Warehouse) -> None:
    warehouse.arrive(day(27))
    first = warehouse.run(day(27), LAST, is_killed=True)
    assert warehouse.due() == (day(27), LAST)
    again = warehouse.run(day(27), LAST)
    assert (again.from_day, again.windows_from_day, again.fact_days) == (
        first.from_day,
        first.windows_from_day,
        first.fact_days,
    )


def test_marts_count_as_tested_from_the_end_of_a_run_to_the_start_of_the_next(warehouse: Warehouse) -> None:
    assert are_marts_tested(warehouse.connection)
    warehouse.run(LAST, LAST, is_killed=True)
    assert not are_marts_tested(warehouse.connection)
    warehouse.run(LAST, LAST)
    assert are_marts_tested(warehouse.connection)


def test_a_killed_run_over_days_scored_before_is_due_again(warehouse: Warehouse) -> None:
    warehouse.run(day(5), day(9), is_killed=True)
    assert warehouse.due() == (day(5), LAST)
    warehouse.run(day(5), LAST)
    assert warehouse.due() is None


def test_other_key_features_build_all_facts_again_even_after_a_kill(warehouse: Warehouse, settings: Settings) -> None:
    """The days once open are closed long since; the facts of all of them hold the old features."""
    for known in (date(2026, 1, 10), day(1), day(20), LAST):
        warehouse.connection.execute("insert into raw_files.usage_events (known_at) values (?)", [known])
    changed = settings.model_copy(update={"key_features": {"default": ("search",)}})
    everything = [date(2026, 1, 10), day(1), day(20), LAST]
    warehouse.run(LAST, LAST, settings=changed, is_killed=True)
    assert warehouse.fact_days() == everything
    warehouse.run(LAST, LAST, settings=changed)
    assert warehouse.fact_days() == everything
    warehouse.run(LAST, LAST, settings=changed)
    assert warehouse.fact_days() == []


def test_windows_of_another_version_are_made_again_from_the_facts(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade that adds a column to them: dbt refuses to fill up the old table, so it must not be there."""
    assert plan_run(warehouse.connection, warehouse.settings, LAST, LAST).windows_from_day == LAST
    changed = tmp_path / "int_usage__windows.sql"
    changed.write_text("select 'another column'")
    monkeypatch.setattr(run_days, "WINDOW_MODELS", (changed,))
    planned = warehouse.run(LAST, LAST, is_killed=True)
    assert planned.windows_from_day == LAST - timedelta(days=84)
    assert warehouse.fact_days() == []  # the facts are as they were
    plan_run(warehouse.connection, warehouse.settings, LAST, LAST)
    assert not table_exists(warehouse.connection, "intermediate", "int_usage__windows")
    warehouse.run(LAST, LAST)
    assert warehouse.run(LAST, LAST).windows_from_day == LAST


def test_windows_from_before_versions_were_kept_are_made_again(warehouse: Warehouse) -> None:
    warehouse.connection.execute("drop table raw_meta.windows_built")
    assert warehouse.run(LAST, LAST).windows_from_day == LAST - timedelta(days=84)


def test_use_without_an_account_is_looked_at_again_once_users_have_come(warehouse: Warehouse) -> None:
    warehouse.connection.execute("insert into intermediate.int_usage__arrivals values (?, 3)", [day(28)])
    warehouse.run(LAST, LAST)
    assert warehouse.fact_days() == []
    warehouse.arrive(date(1970, 1, 1), date(2026, 12, 31), entity="users")  # the second stays open: it is far ahead
    warehouse.run(LAST, LAST)
    assert warehouse.fact_days() == [day(28)]
    warehouse.run(LAST, LAST)
    assert warehouse.fact_days() == []


def test_the_time_of_the_last_scoring_is_kept(settings: Settings) -> None:
    """So that a run can tell whether all that is scored has been published since."""
    made = Warehouse(settings)
    assert last_scored(made.connection) == 0
    before = datetime.now().astimezone().timestamp()
    made.run(FIRST, LAST)
    assert before - 1 <= last_scored(made.connection) <= datetime.now().astimezone().timestamp()
