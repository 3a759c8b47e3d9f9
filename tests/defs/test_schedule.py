"""When the day's job runs, and for which days."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.defs.schedule import DAILY_JOB


def test_the_schedule_is_off_where_config_says_so(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("daily")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * *", "UTC")


def test_the_schedule_is_on_at_the_hour_and_zone_of_config(live: dict[str, Any]) -> None:
    assert live["status"] == "RUNNING"
    assert (live["cron"], live["timezone"]) == ("30 2 * * *", "UTC")


def test_the_job_is_everything_in_one_process(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def(DAILY_JOB)
    assert job.executor_def == dg.in_process_executor
    assert job.asset_layer.executable_asset_keys == definitions.resolve_asset_graph().executable_asset_keys


def test_runs_that_the_ui_starts_by_hand_stay_in_one_process_too(definitions: dg.Definitions) -> None:
    assert definitions.executor == dg.in_process_executor


def test_yesterday_is_the_companys(live: dict[str, Any]) -> None:
    assert [one["partition"] for one in live["morning"]["requests"]] == ["2026-07-03"]


def test_a_schedule_in_another_zone_does_not_score_a_day_that_is_not_over(live: dict[str, Any]) -> None:
    assert [one["partition"] for one in live["evening"]["requests"]] == ["2026-07-02"]


def test_missed_days_are_scored_in_the_same_run(live: dict[str, Any]) -> None:
    (request,) = live["after a pause"]["requests"]
    assert request["partition"] is None
    assert request["tags"]["dagster/asset_partition_range_start"] == "2026-07-03"
    assert request["tags"]["dagster/asset_partition_range_end"] == "2026-07-08"


def test_a_tick_starts_a_run_once(live: dict[str, Any]) -> None:
    assert [one["key"] for one in live["morning"]["requests"]] == ["2026-07-03"]
    assert [one["key"] for one in live["after a pause"]["requests"]] == ["2026-07-08"]


def test_a_day_that_is_not_scored_is_skipped_with_the_reason(live: dict[str, Any]) -> None:
    assert live["too early"]["requests"] == []
    assert "2026-06-30 is not among the days" in live["too early"]["skipped"]


def test_results_of_a_live_source_have_a_freshness_policy(live: dict[str, Any]) -> None:
    assert live["fresh"] == ["published/mart"]


def test_a_fixed_last_day_has_no_age(graph: Any) -> None:
    assert [key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy] == []


def test_a_mistake_in_config_is_told_with_file_line_and_key(mistaken: dict[str, Any]) -> None:
    (error,) = mistaken["errors"]
    assert "pipeline.yml:" in error
    assert "sources.files.entities.tickets.columns.severty: unknown column; did you mean 'severity'?" in error
    assert "assets" not in mistaken
