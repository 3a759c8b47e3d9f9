"""Day by day, some days again, late facts, changed files, changed weights: the same marts, or just the change."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from tests.integration.homes import FIRST, LAST, ask, differences
from tests.integration.stories import CHANGED, WAKING, WOKEN_LATE, Base, Daily, Late, Restated, Stricter

DAYS = ("fct_health_scores", "fct_measure_scores")


def test_day_by_day_gives_the_marts_of_one_backfill(daily: Daily, base: Base) -> None:
    assert differences(daily.days, base.mart) == []


def test_days_in_the_middle_scored_once_more_change_nothing(daily: Daily, base: Base) -> None:
    assert differences(daily.replayed, base.mart) == []
    assert "Scoring 2025-08-05 to 2025-08-07" in daily.replay.out


@pytest.mark.parametrize("table", ["intermediate.int_accounts__days", "measures.int_measures"])
def test_accounts_and_measures_of_all_days_are_kept_beside_those_of_the_run(
    daily: Daily, base: Base, table: str
) -> None:
    """Day by day and some days again leaves what one run over all days leaves; the run itself sees its own days."""
    assert ask(daily.home.warehouse, f"select min(day), max(day) from {table}") == [
        (date(2025, 8, 5), date(2025, 8, 7))
    ]
    rows = f"select * from {table}_kept order by all"
    at_once = ask(base.home.warehouse, rows)
    assert {row[1] for row in at_once} == {FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)}
    assert ask(daily.home.warehouse, rows) == at_once


def test_a_file_without_a_mapped_column_fails_in_plain_words(daily: Daily) -> None:
    """One sentence with the file, the column and what was found; nothing of Python; the mart as it was."""
    broken = daily.broken
    assert broken.code == 1
    said = broken.out + broken.err
    assert "Traceback" not in said
    assert ".py" not in said
    sentence = next(line for line in broken.err.splitlines() if "subscriptions.csv" in line)
    assert "mrr_usd" in sentence
    assert "mmr_usd" in sentence
    assert "published mart is as it was" in broken.err
    assert daily.files_broken == daily.files_before


def test_late_facts_reopen_just_the_days_they_touch(late: Late) -> None:
    assert re.search(r"Scoring 2025-12-27 to 2025-12-31.*; 2 days of new facts", late.within.out)
    assert late.left_open == []


def test_late_facts_leave_the_days_before_as_they_were(late: Late, base: Base) -> None:
    assert _before(late.within_mart, date(2025, 12, 27)) == _before(base.mart, date(2025, 12, 27))


def test_late_facts_count_from_the_day_they_were_known(late: Late, base: Base) -> None:
    """The account gone silent wakes up on the 27th; so it stands in a company that had the file from the start."""
    use = (
        "select day, value from marts.fct_measure_scores where measure = 'days_since_last_activity' "
        f"and scorecard_id = 'standard' and account_id = '{WAKING}' and day >= date '2025-12-26' order by day"
    )
    asleep = ask(base.mart, use)
    woken = ask(late.within_mart, use)
    assert [value for _, value in woken] == [asleep[0][1], 1, 1, 2, 3, 4]
    assert woken == ask(late.fresh_mart, use)


def test_facts_older_than_the_look_back_are_named_and_not_worked_in(late: Late) -> None:
    assert "2 days have facts that came more than 7 days late" in late.older.out
    assert "health run --from 2025-12-01" in late.older.out
    assert differences(late.older_mart, late.within_mart) == []
    assert late.older_open == [(date(2025, 12, 1),), (date(2025, 12, 3),)]


def test_a_backfill_works_older_facts_in(late: Late) -> None:
    """So it gives the marts of a company that had it all from the start: late use, a new user, a changed account."""
    assert late.finally_open == []
    assert differences(late.worked_in_mart, late.fresh_mart) == []
    use = f"select score from marts.current_health where account_id = '{WOKEN_LATE}'"
    assert ask(late.worked_in_mart, use) != ask(late.older_mart, use)


def test_a_changed_file_replaces_its_rows(late: Late, base: Base) -> None:
    """One version more than before, none twice; the other files are not read again."""
    ((rows, keys),) = late.account_rows
    ((rows_before,),) = base.home.ask_warehouse("select count(*) from raw_files.accounts")
    assert rows == keys == rows_before + 1
    assert re.search(r"accounts: 1 of 1 files were new or changed", late.within.out)
    assert re.search(r"users: 0 of 1 files were new or changed; 0 rows read", late.within.out)
    assert re.search(r"usage_events: 2 of 15 files were new or changed; 80|120 rows read", late.within.out)
    seats = f"select seats from marts.dim_accounts where account_id = '{CHANGED}'"
    ((now,),), ((before,),) = ask(late.within_mart, seats), ask(base.mart, seats)
    assert now == 2 * before


def test_changed_weights_add_rows_of_a_new_version_and_keep_the_old(restated: Restated, base: Base) -> None:
    """The label is the same, the content is not: the hash tells them apart."""
    ((old,),) = ask(base.mart, "select scorecard_hash from marts.dim_scorecards where scorecard_id = 'standard'")
    versions = ask(
        restated.mart,
        "select scorecard_hash = '" + old + "', version, is_current from marts.dim_scorecards "
        "where scorecard_id = 'standard' order by all",
    )
    assert versions == [(False, "2026.1", True), (True, "2026.1", False)]
    new_rows = "select distinct day from {} where scorecard_id = 'standard' and scorecard_hash <> '" + old + "'"
    for table in DAYS:
        assert ask(restated.mart, new_rows.format(f"marts.{table}")) == [(LAST,)]
        ((kept,),) = ask(restated.mart, f"select count(*) from marts.{table} where scorecard_hash = '{old}'")
        assert [(kept,)] == ask(base.mart, f"select count(*) from marts.{table} where scorecard_hash = '{old}'")


def test_changed_weights_leave_every_older_row_as_it_was(restated: Restated, base: Base) -> None:
    ((old,),) = ask(base.mart, "select scorecard_hash from marts.dim_scorecards where scorecard_id = 'standard'")
    everything = f"select * from marts.fct_health_scores where scorecard_hash = '{old}' order by all"
    assert ask(restated.mart, everything) == ask(base.mart, everything)


def test_changed_weights_are_in_force_in_current_health(restated: Restated, base: Base) -> None:
    ((old,),) = ask(base.mart, "select scorecard_hash from marts.dim_scorecards where scorecard_id = 'standard'")
    assert ask(restated.mart, f"select count(*) from marts.current_health where scorecard_hash = '{old}'") == [(0,)]
    scores = "select account_id, score from marts.current_health order by account_id"
    now, before = dict(ask(restated.mart, scores)), dict(ask(base.mart, scores))
    assert now.keys() == before.keys()
    assert sum(now[account] != before[account] for account in now) > len(now) / 2


def test_other_alert_rules_judge_every_day_again(stricter: Stricter, base: Base) -> None:
    """A rule needs its second day in a row; the days before the newest are not scored again."""
    opened = """
        select account_id, min(day) from (
            select account_id, day, score < {line} and lag(score, 1, 100) over (
                partition by account_id order by day
            ) < {line} as holds
            from marts.fct_health_scores where lens = 'overall' and scorecard_status = 'active'
        ) where holds group by account_id order by account_id
    """
    found = """
        select account_id, min(opened_on) from marts.fct_breaches where rule = 'red_score'
        group by account_id order by account_id
    """
    for mart, line in ((base.mart, 50), (stricter.mart, 60)):
        assert ask(mart, found) == ask(mart, opened.format(line=line))
    assert len(ask(stricter.mart, found)) > len(ask(base.mart, found)) > 0
    rest = "select * from marts.fct_breaches where rule <> 'red_score' order by all"
    assert ask(stricter.mart, rest) == ask(base.mart, rest)


def _before(mart, day):  # type: ignore[no-untyped-def]
    return [ask(mart, f"select * from marts.{table} where day < date '{day}' order by all") for table in DAYS]
