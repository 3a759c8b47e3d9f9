"""When an export is written: with each new day, or with the first of a new week or month."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import duckdb
import pytest

from dagster_project.components.results import MART, export_assets
from dagster_project.export_settings import Destinations, Export
from dagster_project.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    every = ("day", "week", "month")
    exports = tuple(Export(name=one, table="current_health", every=one) for one in every)
    destinations = Destinations(exports=exports)
    return load_settings(environ={}).model_copy(update={"home": tmp_path, "destinations": destinations})


def publish(settings: Settings, day: date) -> None:
    file = settings.mart_folder / "mart.duckdb"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as con:
        con.execute("create schema marts")
        for table in ("current_health", "fct_health_scores"):
            con.execute(f"create table marts.{table} as select date '{day}' as day")


def written(settings: Settings, instance: dg.DagsterInstance, day: date) -> list[str]:
    publish(settings, day)
    done = dg.materialize([*export_assets(settings), dg.AssetSpec(MART)], instance=instance)
    assert done.success
    return sorted(event.asset_key.path[-1] for event in done.get_asset_materialization_events() if event.asset_key)


def test_a_week_and_a_month_are_written_once_and_made_up_for(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert written(settings, instance, date(2026, 5, 28)) == ["day", "month", "week"], "never written before"
        assert written(settings, instance, date(2026, 5, 31)) == ["day"], "the Sunday of that week"
        assert written(settings, instance, date(2026, 6, 3)) == ["day", "month", "week"], "the first days were missed"
        assert written(settings, instance, date(2026, 6, 7)) == ["day"]
        assert written(settings, instance, date(2026, 6, 8)) == ["day", "week"]
        assert written(settings, instance, date(2027, 6, 8)) == ["day", "month", "week"], "June of another year"


def test_a_place_that_does_not_take_it_fails_the_export_with_what_to_do(settings: Settings) -> None:
    places = {
        "databases": {"bi": {"url": "env:NOT_SET"}},
        "exports": [{"name": "a", "table": "current_health", "to": "bi"}],
    }
    settings = settings.model_copy(update={"destinations": Destinations.model_validate(places)})
    publish(settings, date(2026, 5, 28))
    done = dg.materialize(export_assets(settings), raise_on_error=False)
    (failure,) = done.get_step_failure_events()
    assert "the environment variable NOT_SET is not set" in str(failure.step_failure_data.user_failure_data)
