"""Raw usage that config no longer keeps: what goes, what is said of it, and how it comes back."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from conftest import LOADED_AT, World

from dagster_project import retention
from dagster_project.run_days import plan_run
from dagster_project.settings import load_settings

USAGE = {"event_id": "e", "account_id": "a", "occurred_at": "at", "known_at": "seen"}
KEPT = {"retention": {"usage_events_days": 220, "repeats_days": 90}, "look_back_days": 7}
NEWEST = date(2026, 6, 30)
OLD, EDGE, KEPT_DAY = date(2025, 11, 21), date(2025, 11, 22), date(2026, 3, 1)  # 220 days before NEWEST is EDGE


def usage_file(*rows: tuple[str, date]) -> str:
    return "e,a,at,seen\n" + "".join(f"{event},A1,{day} 10:00,{day} 11:00\n" for event, day in rows)


class Usage:
    """A company whose usage is loaded, worked in, and dropped as its config says."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.top |= KEPT
        world.map("usage_events", "u/*.csv", USAGE)

    def settings(self):  # type: ignore[no-untyped-def]
        return load_settings(self.world._config, {})

    def load(self) -> None:
        self.world.load("usage_events", LOADED_AT)

    def work_in(self) -> int:
        """As the end of a run: no day waits any more, and what is too old goes. Returns the rows dropped."""
        self.world.con.execute("delete from raw_meta.open_days")
        self.world.con.execute(
            "insert or ignore into raw_meta.scored_days values (?, 'hash', ?)", [NEWEST, datetime(2026, 7, 1)]
        )
        return retention.drop_old_usage(self.world.con, self.settings(), NEWEST)

    def events(self) -> list[str]:
        return self.world.column("select event_id from raw_files.usage_events order by event_id")

    def not_taken(self) -> list[str]:
        return self.world.column("select day::varchar from raw_meta.days_not_taken order by day")

    def told(self) -> str:
        return "\n".join(retention.told(self.world.con, self.settings()))


@pytest.fixture
def usage(world: World) -> Usage:
    """Three events; the first is older than config keeps, and dropped."""
    made = Usage(world)
    world.write("u/1.csv", usage_file(("E1", OLD), ("E2", EDGE)))
    world.write("u/2.csv", usage_file(("E3", KEPT_DAY)))
    made.load()
    assert made.work_in() == 1
    return made


def test_rows_go_on_the_day_they_are_too_old_and_stay_gone(usage: Usage) -> None:
    assert usage.events() == ["E2", "E3"]
    assert retention.first_kept(usage.world.con) == EDGE
    assert retention.first_rebuildable(usage.world.con, usage.settings()) == EDGE + timedelta(days=90)
    usage.load()
    assert (usage.events(), usage.world.open_days("usage_events"), usage.told()) == (["E2", "E3"], [], "")
    assert usage.work_in() == 0


def test_nothing_goes_while_config_names_no_days(world: World) -> None:
    made = Usage(world)
    world.top = {"timezone": "UTC"}
    world.write("u/1.csv", usage_file(("E1", date(1999, 1, 1))))
    made.load()
    assert (made.work_in(), made.events(), made.told()) == (0, ["E1"], "")


def test_days_whose_facts_wait_to_be_made_stay_and_so_do_those_after(world: World) -> None:
    made = Usage(world)
    world.write("u/1.csv", usage_file(("E1", OLD - timedelta(days=2)), ("E2", OLD - timedelta(days=1)), ("E3", OLD)))
    made.load()
    made.work_in()
    world.con.execute("delete from raw_meta.dropped_rows")
    world.con.execute("delete from raw_files.usage_events")
    world.write("u/1.csv", usage_file(("E1", OLD - timedelta(days=2)), ("E2", OLD - timedelta(days=1)), ("E4", OLD)))
    made.load()
    world.con.execute("delete from raw_meta.open_days where day <> ?", [OLD - timedelta(days=1)])
    assert retention.drop_old_usage(world.con, made.settings(), NEWEST) == 1
    assert made.events() == ["E2", "E4"]


def test_a_file_that_grows_brings_its_new_rows_only(usage: Usage) -> None:
    usage.world.write("u/1.csv", usage_file(("E1", OLD), ("E2", EDGE), ("E4", KEPT_DAY)))
    usage.load()
    assert usage.events() == ["E2", "E3", "E4"]
    assert (usage.not_taken(), usage.world.open_days("usage_events")) == ([], [str(KEPT_DAY)])


def test_a_copy_of_a_file_under_another_name_is_no_news_of_dropped_days(usage: Usage) -> None:
    usage.world.write("u/3.csv", usage_file(("E1", OLD)))
    usage.load()
    assert (usage.events(), usage.not_taken()) == (["E2", "E3"], [])


@pytest.mark.parametrize(
    "rows",
    [
        [("E1", OLD), ("E9", OLD)],  # one more
        [("E9", OLD)],  # another
        [],  # taken back
        [("E1", OLD), ("E9", OLD - timedelta(days=50))],  # of a day before
    ],
)
def test_news_of_dropped_days_is_not_taken_and_said_each_time(usage: Usage, rows: list[tuple[str, date]]) -> None:
    usage.world.write("u/1.csv", usage_file(*rows, ("E2", EDGE)))
    usage.load()
    assert usage.events() == ["E2", "E3"]
    assert usage.world.open_days("usage_events") == []
    assert len(usage.not_taken()) == 1
    assert "Files brought usage known on 1 days" in usage.told()
    assert "retention.usage_events_days: 220" in usage.told()
    usage.load()
    assert len(usage.not_taken()) == 1


def test_late_rows_of_days_whose_repeats_cannot_be_told_are_not_worked_in(usage: Usage) -> None:
    """Their own rows are all there; those of the 90 days before, among which a copy would be sought, are not."""
    late = EDGE + timedelta(days=89)
    usage.world.write("u/3.csv", usage_file(("E5", late), ("E6", late + timedelta(days=1))))
    usage.load()
    assert usage.world.open_days("usage_events") == [str(late + timedelta(days=1))]
    assert usage.not_taken() == [str(late)]


def test_dropped_rows_come_back_when_config_keeps_them_again(usage: Usage) -> None:
    usage.world.top = {"timezone": "UTC"}
    usage.load()
    assert usage.events() == ["E1", "E2", "E3"]
    assert usage.world.open_days("usage_events") == [str(OLD)]
    assert retention.first_kept(usage.world.con) is None
    before = usage.world.everything("usage_events")
    usage.load()
    assert usage.world.everything("usage_events") == before


def test_rows_come_back_as_far_as_config_keeps_them(usage: Usage) -> None:
    long_ago = OLD - timedelta(days=100)
    usage.world.write("u/0.csv", usage_file(("E0", long_ago), ("E1b", OLD)))
    usage.world.top = {"timezone": "UTC"}
    usage.load()
    usage.world.top = {"timezone": "UTC", **KEPT}
    usage.load()
    assert usage.work_in() == 3
    usage.world.top = {"timezone": "UTC", "retention": {"usage_events_days": 260}}
    usage.load()
    assert usage.events() == ["E1", "E1b", "E2", "E3"]
    assert retention.first_kept(usage.world.con) == NEWEST - timedelta(days=260)
    assert usage.not_taken() == []


def test_what_only_a_file_that_is_gone_held_stays_dropped_and_that_is_said(usage: Usage) -> None:
    (usage.world.folder / "u" / "1.csv").unlink()
    usage.world.top = {"timezone": "UTC"}
    usage.load()
    assert usage.events() == ["E2", "E3"]
    assert "files that held it are gone" in usage.told()


def test_other_key_features_leave_the_facts_of_dropped_days_and_refuse_days_that_rest_on_them(usage: Usage) -> None:
    con = usage.world.con
    con.execute("create schema intermediate")
    con.execute("create table intermediate.int_usage__daily (known_day date)")
    con.execute("create table raw_meta.facts_built as select 'of another configuration' as facts_hash")
    rebuildable = EDGE + timedelta(days=90)
    first_sound = rebuildable + timedelta(days=112)
    with pytest.raises(retention.FactsDroppedError, match=f"Days before {first_sound} cannot be scored again"):
        plan_run(con, usage.settings(), first_sound - timedelta(days=1), NEWEST)
    plan_run(con, usage.settings(), first_sound, NEWEST)
    assert usage.world.column("select day from raw_meta.fact_days") == [KEPT_DAY]
    assert f"Usage known before {rebuildable} keeps the daily facts" in usage.told()


def test_with_the_key_out_the_refusal_asks_for_the_files_that_are_gone(usage: Usage) -> None:
    con = usage.world.con
    con.execute("create schema intermediate")
    con.execute("create table intermediate.int_usage__daily (known_day date)")
    (usage.world.folder / "u" / "1.csv").unlink()
    usage.world.top = {"timezone": "UTC"}
    usage.load()
    with pytest.raises(retention.FactsDroppedError) as refused:
        plan_run(con, usage.settings(), EDGE + timedelta(days=200), NEWEST)
    said = str(refused.value)
    assert "bring those files back and run `health run --from" in said
    assert said.endswith("or put `retention` back as it was.")
    assert "None" not in said and "take retention" not in said
