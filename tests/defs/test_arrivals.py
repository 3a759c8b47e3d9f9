"""Files that land ask for a run, once they have stopped growing; and once for each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.components.arrivals import files_landed, often
from dagster_project.settings import ConfigError, Settings, load_settings

JOB = dg.define_asset_job("score_day", selection=dg.AssetSelection.all())
ENTITIES = {"accounts": {"files": "a*.csv", "columns": {"account_id": "id", "created_on": "since"}}}


def settings_of(folder: Path, days: dict[str, str] | None = None, files: Any = None, **schedule: Any) -> Settings:
    config = {
        "company": "Acme", "home": str(folder / "home"), "days": days or {"first": "2026-01-01", "last": "2026-01-31"},
        "sources": {"files": {"folder": str(folder), "entities": ENTITIES} | (files or {})}, "schedule": schedule,
    }  # fmt: skip
    (folder / "pipeline.yml").write_text(yaml.safe_dump(config))
    return load_settings(folder / "pipeline.yml", {})


class Sensor:
    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.sensor, self.instance, self.cursor = files_landed(settings, JOB), instance, None

    def look(self) -> dg.RunRequest | dg.SkipReason:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        found = self.sensor(context)
        self.cursor = context.cursor
        assert isinstance(found, dg.RunRequest | dg.SkipReason)
        return found

    def said(self) -> str | None:
        found = self.look()
        return found.skip_message if isinstance(found, dg.SkipReason) else f"run {found.partition_key}"


GROWING = "files have landed; they are loaded when they have stopped growing"
NOTHING = "nothing has landed"
RUN = "run 2026-01-31"


def test_a_file_is_loaded_when_it_has_stopped_growing_and_once(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        sensor = Sensor(settings_of(tmp_path, when_files_land=True), instance)
        assert [sensor.said() for _ in range(3)] == [GROWING, RUN, NOTHING], "a folder never looked at is loaded"
        (tmp_path / "a1.csv").write_text("id,")
        assert sensor.said() == GROWING
        (tmp_path / "a1.csv").write_text("id,since\n")
        assert [sensor.said() for _ in range(4)] == [GROWING, RUN, NOTHING, NOTHING]
        (tmp_path / ".a2.csv").write_text("not yet")
        (tmp_path / "b.csv").write_text("nobody's")
        assert sensor.said() == NOTHING
        (tmp_path / "a1.csv").unlink()
        assert [sensor.said() for _ in range(3)] == [GROWING, RUN, NOTHING]


def test_nothing_is_asked_for_behind_a_run_that_is_under_way(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
        sensor = Sensor(settings_of(tmp_path), instance)
        assert [sensor.said() for _ in range(3)] == [GROWING, *["files have landed, and a run is under way"] * 2]
        instance.report_run_canceled(run)
        assert [sensor.said() for _ in range(2)] == [RUN, NOTHING]


def test_the_short_schedule_asks_for_the_newest_day_but_never_behind_a_run(tmp_path: Path) -> None:
    (schedule,) = often(settings_of(tmp_path, every_minutes=20), JOB)
    assert schedule.cron_schedule == "*/20 * * * *"
    assert [one.cron_schedule for one in often(settings_of(tmp_path, every_minutes=120), JOB)] == ["0 */2 * * *"]
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        day = datetime(2026, 2, 1, 9, tzinfo=UTC)
        with dg.build_schedule_context(instance, scheduled_execution_time=day) as at:
            asked = schedule(at)
            assert isinstance(asked, dg.RunRequest)
            assert asked.partition_key == "2026-01-31"
            instance.create_run_for_job(_job(), status=dg.DagsterRunStatus.STARTED)
            assert isinstance(schedule(at), dg.SkipReason)
    assert list(often(settings_of(tmp_path), JOB)) == []


def test_a_first_day_that_is_not_over_is_not_asked_for(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        sensor = Sensor(settings_of(tmp_path, {"first": "2999-01-01"}), instance)
        sensor.said()
        assert sensor.said() == "the first day to score, 2999-01-01, is not over yet"


@pytest.mark.parametrize(
    ("files", "schedule", "said"),
    [
        ({"store": {"bucket": "acme"}}, {"when_files_land": True}, "the run itself fetches the files of sources."),
        ({}, {"every_minutes": 7}, "7 is not legal; legal: 5, 10, 15, 20, 30, 60"),
        ({}, {"when_files_land": "yes"}, "should be true or false"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path: Path, files: Any, schedule: Any, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings_of(tmp_path, files=files, **schedule)
    assert said in str(error.value)


def _job() -> dg.JobDefinition:
    @dg.job(name="score_day")
    def job() -> None:
        pass

    return job
