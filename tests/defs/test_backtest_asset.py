"""The backtest as an asset, and as a command, on published marts that say something, nothing, or are not there."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from dagster_project.commands.backtest import show
from dagster_project.components.backtest_assets import backtest_asset
from dagster_project.settings import Settings, load_settings

OUTCOMES = """
create schema marts;
create table marts.fct_outcome_scores as
select
    'O' || number as outcome_id, 'A' || number as account_id, case when is_loss then 'churn' else 'renewal' end as kind,
    is_loss, date '2026-03-01' as decided_on, 60 as days_before, date '2025-12-31' as day,
    case when $tells and is_loss then 0 else 20 end + hash(number) % 60 as score, 'yellow' as band,
    null::varchar as left_out, 100.0 as amount, 100.0 as arr, 'h' as scorecard_hash
from (select number, number % 3 = 0 as is_loss from range($cases) as numbers (number));
create table marts.fct_measure_scores as
select account_id, day, scorecard_hash, 'tickets' as measure, score as measure_score from marts.fct_outcome_scores
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={}).model_copy(update={"home": tmp_path})


def publish(settings: Settings, cases: int, *, tells: bool) -> None:
    settings.mart_folder.mkdir(parents=True)
    with duckdb.connect(str(settings.mart_folder / "mart.duckdb")) as con:
        for statement in duckdb.extract_statements(OUTCOMES):
            given = {"cases": cases, "tells": tells}
            con.execute(statement, {name: given[name] for name in statement.named_parameters})


@pytest.mark.parametrize(
    ("cases", "tells", "passed", "said"),
    [
        (450, True, True, "Nothing speaks against the score."),
        (450, False, False, "No evidence that the score tells losses from the rest"),
        (90, False, True, "30 losses are too few to say."),
        (0, False, True, "0 losses are too few to say."),
    ],
)
def test_the_check_warns_of_a_score_that_tells_nothing(
    settings: Settings, cases: int, tells: bool, passed: bool, said: str
) -> None:
    publish(settings, cases, tells=tells)
    done = dg.materialize([backtest_asset(settings)])
    (check,) = done.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert str(check.description).startswith(said)
    (event,) = done.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["cases"].value == cases
    assert ("horizons" in metadata) == (cases > 0)


def test_the_command_tells_the_same(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    publish(settings, 450, tells=True)
    assert show(settings, 60) == 0
    out = capsys.readouterr().out
    assert "60 days before: 450 cases, 150 of them losses (33.3%, the base rate)." in out
    assert "tickets" in out
    assert show(settings, 30) == 0
    assert "30 days before: no case has a score." in capsys.readouterr().out


def test_without_outcomes_it_says_what_to_map(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    publish(settings, 0, tells=True)
    assert show(settings, 60) == 0
    assert "map the entity `outcomes`" in capsys.readouterr().out


def test_without_a_mart_it_says_what_to_run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(settings, 60) == 1
    assert "there is no published mart to report on; run the pipeline first" in capsys.readouterr().err
