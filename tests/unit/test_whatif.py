"""`health whatif`: what it accepts as a proposal, what it refuses, what it tells of two sets of scores."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dagster_project.commands.whatif import imagine
from dagster_project.components import scratch
from dagster_project.report.comparison import Bin, Cell, Comparison, Month, Mover, compare
from dagster_project.report.comparison_text import render_comparison
from dagster_project.scorecards.load import LoadedScorecard, load_scorecards
from dagster_project.scorecards.proposals import parse_weights, with_file, with_weights
from dagster_project.settings import PROJECT_ROOT, ConfigError, Settings, load_settings
from tests.patching import patch_within
from tests.unit.scorecard_texts import GOOD, MEASURES, load

DAY = date(2026, 6, 30)
OTHER = GOOD.replace("scorecard: standard", "scorecard: other").replace("title: Standard", "title: Other")
SEGMENT = "applies_to: {segment: [enterprise]}"


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_weights(text)
    return error.value.problems


def written(folder: Path, text: str) -> Path:
    path = folder / "proposal.yaml.txt"  # no scorecard of the folder beside it
    path.write_text(text, encoding="utf-8")
    return path


def wrong(folder: Path, loaded: tuple[LoadedScorecard, ...], text: str, lens: str | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        with_file(loaded, written(folder, text), lens, MEASURES)
    return str(error.value)


# --- Weights ---------------------------------------------------------------------------------------------------------


def test_weights_are_read_exactly() -> None:
    assert parse_weights("usage=40, support = 0.1") == {"usage": Decimal("40.000000"), "support": Decimal("0.100000")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not GROUP=WEIGHT, as in --weights usage=40,support=20"),
        ("usage", "'usage' is not GROUP=WEIGHT"),
        ("usage=", "'usage=' is not GROUP=WEIGHT"),
        ("usage=1,", "'' is not GROUP=WEIGHT"),
        ("usage=many", "usage: should be a number, is 'many'"),
        ("usage=0", "usage: should be more than 0 and less than a billion, is 0; leave out what should not count"),
        ("usage=-4", "usage: should be more than 0"),
        ("usage=nan", "usage: should be a finite number, is nan"),
        ("usage=1,usage=2", "the group usage stands there twice"),
    ],
)
def test_weights_that_cannot_be_read(text: str, said: str) -> None:
    assert said in "\n".join(refused(text))


def test_every_mistake_in_the_weights_is_told_at_once() -> None:
    assert len(refused("usage=0,support,sentiment=x")) == 3


def test_weights_change_just_the_groups_named(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    proposal = with_weights(loaded, "overall", {"usage": Decimal(90)}, DAY)
    (one,) = proposal.scorecards
    assert {name: group.weight for name, group in one.spec.groups.items()} == {"usage": 90, "sentiment": 60}
    assert proposal.changes == ("standard: weight of usage 40 -> 90",)
    assert one.hash != loaded[0].hash
    assert loaded[0].spec.groups["usage"].weight == 40


def test_the_weights_in_use_are_no_change(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    proposal = with_weights(loaded, "overall", {"usage": Decimal(40)}, DAY)
    assert proposal.changes == ()
    assert [one.hash for one in proposal.scorecards] == [one.hash for one in loaded]


def test_a_version_no_longer_in_force_keeps_its_weights(tmp_path: Path) -> None:
    newer = GOOD.replace('version: "1"', 'version: "2"\neffective_from: 2026-01-01')
    loaded = load(tmp_path, GOOD, newer)
    proposal = with_weights(loaded, "overall", {"usage": Decimal(90)}, DAY)
    weights = {one.spec.version: one.spec.groups["usage"].weight for one in proposal.scorecards}
    assert weights == {"1": 40, "2": 90}
    assert {one.spec.version: one.effective_to for one in proposal.scorecards} == {"1": date(2026, 1, 1), "2": None}


def test_an_unknown_group_is_refused_with_the_legal_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        with_weights(load(tmp_path, GOOD), "overall", {"usgae": Decimal(1)}, DAY)
    assert str(error.value) == (
        "--weights: 'usgae' is no group of the lens overall; did you mean 'usage'? legal: usage, sentiment"
    )


def test_an_unknown_lens_is_refused_with_the_legal_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no scorecard has the lens over.*legal: overall"):
        with_weights(load(tmp_path, GOOD), "over", {"usage": Decimal(1)}, DAY)


# --- A file ----------------------------------------------------------------------------------------------------------


def test_a_file_takes_the_place_of_its_name_from_the_first_day_on(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD, OTHER.replace("applies_to: default", SEGMENT))
    text = GOOD.replace('version: "1"', 'version: "9"\nstatus: candidate\neffective_from: 2026-05-01')
    proposal = with_file(loaded, written(tmp_path, text), None, MEASURES)
    assert [one.label for one in proposal.scorecards] == ["other 1", "standard 9"]
    assert proposal.scorecards[1].spec.effective_from is None
    assert proposal.scorecards[1].spec.status == "active"
    assert "in place of standard 1" in proposal.changes[0]


def test_a_new_default_takes_the_place_of_the_default(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    proposal = with_file(loaded, written(tmp_path, OTHER), None, MEASURES)
    assert [one.label for one in proposal.scorecards] == ["other 1"]


def test_a_new_one_with_conditions_comes_before_the_default(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    text = OTHER.replace("applies_to: default", SEGMENT)
    proposal = with_file(loaded, written(tmp_path, text), None, MEASURES)
    assert [one.label for one in proposal.scorecards] == ["other 1", "standard 1"]
    assert "beside the others" in proposal.changes[0]


def test_the_scorecard_in_use_is_no_change(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    proposal = with_file(loaded, written(tmp_path, GOOD), None, MEASURES)
    assert proposal.changes == ()
    assert proposal.scorecards[0].hash == loaded[0].hash


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    said = wrong(tmp_path, load(tmp_path, GOOD), GOOD.replace("weight: 40", "weigth: 40"))
    assert "proposal.yaml.txt:10: groups.usage.weigth: unknown key; did you mean 'weight'?" in said


def test_a_lens_without_scores_is_refused(tmp_path: Path) -> None:
    said = wrong(tmp_path, load(tmp_path, GOOD), OTHER + "lens: another\n")
    assert "lens: the lens another has no scores to compare with; legal: overall" in said


def test_a_lens_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    said = wrong(tmp_path, load(tmp_path, GOOD), GOOD, "example")
    assert "lens: is overall, but --lens says example" in said


def test_a_file_that_leaves_the_lens_without_default_is_refused(tmp_path: Path) -> None:
    said = wrong(tmp_path, load(tmp_path, GOOD), GOOD.replace("applies_to: default", SEGMENT))
    assert "has no active scorecard with `applies_to: default`" in said


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={}).model_copy(update={"home": tmp_path / "home"})


@pytest.mark.parametrize(("weights", "scorecard"), [(None, None), ("usage=1", Path("a.yml"))])
def test_it_wants_weights_or_a_file(
    settings: Settings, capsys: pytest.CaptureFixture[str], weights: str | None, scorecard: Path | None
) -> None:
    assert imagine(settings, weights, scorecard, None, quiet=True) == 2
    assert "either --weights GROUP=WEIGHT,... or --scorecard FILE" in capsys.readouterr().err


def test_a_mistake_is_told_before_anything_is_opened(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert imagine(settings, "usage=0", None, None, quiet=True) == 2
    assert "--weights: usage: should be more than 0" in capsys.readouterr().err
    assert not settings.home.exists()


def test_before_the_first_run_it_says_what_makes_scores(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert imagine(settings, "usage=1", None, None, quiet=True) == 1
    assert "has no scores yet: `health run` makes them" in capsys.readouterr().err
    assert not settings.home.exists()


def test_a_warehouse_from_before_measures_were_kept(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.home.mkdir()
    duckdb.connect(str(settings.warehouse_path)).close()
    assert imagine(settings, "usage=1", None, None, quiet=True) == 1
    assert f"`health run --from {settings.days.first}` those of every day" in capsys.readouterr().err


def test_a_run_under_way_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise duckdb.IOException("IO Error: Could not set lock on file")

    settings.home.mkdir()
    duckdb.connect(str(settings.warehouse_path)).close()
    patch_within(monkeypatch, scratch, "duckdb", connect=locked)
    assert imagine(settings, "usage=1", None, None, quiet=True) == 3


def test_the_models_are_those_of_the_score_and_no_mart() -> None:
    models = scratch.scoring_models()
    assert {"int_measure_scores", "int_group_scores", "int_raw_scores", "int_health_scores"} <= set(models.scoring)
    assert "int_breach_days" not in models.scoring
    assert {one.name for one in models.inputs} == {
        "int_accounts__days", "int_measures", "int_measures_kept", "int_judgement__overrides", "int_usage__outages",
    }  # fmt: skip


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    gone, alive = tmp_path / "whatif-999999999-abc", tmp_path / "whatif-1-abc"
    for folder in (gone, alive):
        folder.mkdir()
    scratch._remove_left_over(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [alive.name]


# --- What it tells ---------------------------------------------------------------------------------------------------


def comparison(folder: Path, rows: list[tuple[object, ...]]) -> Comparison:
    """From (account, days ago, score before, band before, score after, band after, owner, arr)."""
    file = folder / "scratch.duckdb"
    with duckdb.connect(str(file)) as connection:
        for name in ("before", "after"):
            connection.execute(
                f"create table {name} (account_id text, day date, score double, band text, scorecard_hash text)"
            )
        connection.execute(
            "create table accounts (account_id text, day date, account_name text, owner text, arr decimal(18, 4))"
        )
        for account, ago, before, band_before, after, band_after, owner, arr in rows:
            day = DAY - timedelta(days=int(str(ago)))
            connection.execute("insert into before values (?, ?, ?, ?, 'h')", [account, day, before, band_before])
            connection.execute("insert into after values (?, ?, ?, ?, 'i')", [account, day, after, band_after])
            connection.execute(
                "insert into accounts values (?, ?, ?, ?, ?)", [account, day, f"Name of {account}", owner, arr]
            )
    return compare(file)


ROWS: list[tuple[object, ...]] = [
    ("a", 0, 80.0, "green", 60.0, "yellow", "Ada", 1000),
    ("b", 0, 49.0, "red", 51.0, "yellow", "Ada", 200),
    ("c", 0, 100.0, "green", 100.0, "green", "Bo", None),
    ("d", 0, None, "insufficient_data", 10.0, "red", None, 50),
    ("a", 30, 80.0, "green", 80.0, "green", "Ada", 1000),
    ("b", 30, 40.0, "red", 60.0, "yellow", "Ada", 200),
]


def test_the_figures_of_the_newest_day(tmp_path: Path) -> None:
    found = comparison(tmp_path, ROWS)
    assert [cell for cell in found.cells if cell.accounts] == [
        Cell("red", "yellow", 1, Decimal(200)),
        Cell("green", "yellow", 1, Decimal(1000)),
        Cell("green", "green", 1, Decimal(0)),
        Cell("insufficient_data", "red", 1, Decimal(50)),
    ]
    assert found.accounts_without_arr == 1
    told = [
        (one.owner, one.accounts, one.better, one.better_arr, one.worse, one.worse_arr, one.other)
        for one in found.owners
    ]
    assert told == [("Ada", 2, 1, 200, 1, 1000, 0), ("Bo", 1, 0, 0, 0, 0, 0), (None, 1, 0, 0, 0, 0, 1)]
    assert (found.owners[0].mean_before, found.owners[0].mean_after) == (64.5, 55.5)
    assert [one for one in found.bins if one.before or one.after] == [
        Bin(10, 0, 1), Bin(40, 1, 0), Bin(50, 0, 1), Bin(60, 0, 1), Bin(80, 1, 0), Bin(90, 1, 1),
    ]  # fmt: skip
    assert found.movers == (
        Mover("a", "Name of a", "Ada", Decimal(1000), 80, 60, "green", "yellow"),
        Mover("b", "Name of b", "Ada", Decimal(200), 49, 51, "red", "yellow"),
    )


def test_the_figures_of_all_days(tmp_path: Path) -> None:
    found = comparison(tmp_path, ROWS)
    assert found.months == (
        Month("2026-05", 2, 60, 70, 1),
        Month("2026-06", 4, pytest.approx((80 + 49 + 100) / 3), pytest.approx((60 + 51 + 100 + 10) / 4), 3),
    )
    assert (found.first, found.day, found.account_days, found.score_changes, found.band_changes) == (
        date(2026, 5, 31), DAY, 6, 4, 4,
    )  # fmt: skip


def test_no_change_is_said_in_a_sentence(tmp_path: Path) -> None:
    found = comparison(tmp_path, [("a", 0, 80.0, "green", 80.0, "green", "Ada", 1000)])
    assert found.is_unchanged
    text = render_comparison(found, "overall", ())
    assert "No score and no band would change on any of the 1 account-day from 2026-06-30 to 2026-06-30." in text
    assert "Accounts and ARR" not in text


def test_a_score_that_comes_or_goes_is_a_change(tmp_path: Path) -> None:
    assert not comparison(tmp_path, [("a", 0, None, "red", 10.0, "red", "Ada", 1)]).is_unchanged


def test_names_cannot_drive_the_terminal_and_lines_fit(tmp_path: Path) -> None:
    rows = [*ROWS, ("\x1b[31m\u202ered" + "x" * 200, 0, 10.0, "red", 90.0, "green", "[bold]Eve[/bold]\x1b[0m", 7)]
    text = render_comparison(comparison(tmp_path, rows), "overall", ("weight\x1b[0m",))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]Eve" in text.replace("\n", "")
    assert max(map(len, text.splitlines())) <= 100


def test_the_shipped_scorecards_can_be_reweighed() -> None:
    loaded = load_scorecards(PROJECT_ROOT / "config" / "scorecards")
    assert with_weights(loaded, "example", {"usage": Decimal(1)}, DAY).changes
