"""What one run over all days leaves; and a second run, which has nothing to do."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from statistics import mean

import duckdb
import pytest

from dagster_project.settings import MARTS
from tests.integration.homes import FIRST, LAST, ask
from tests.integration.stories import Base, Sample

EXAMPLE = {"satisfaction": 0.5, "usage": 0.3, "retention": 0.2}
FLOOR = 0.7  # of coverage, below which there is no score
# The sample's files name their accounts; no day moves it whole.
EMPTY = {"dim_account_links", "fct_unmatched_records", "fct_mass_moves"}


def _truth(sample: Sample) -> list[dict[str, str]]:
    with (sample.truth / "accounts.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", MARTS)
def test_every_mart_has_rows_and_a_parquet_copy(base: Base, table: str) -> None:
    rows = ask(base.mart, f"select count(*) from marts.{table}")
    assert (rows > [(0,)]) == (table not in EMPTY)
    copied = base.home.published / "parquet" / "current" / table / "*.parquet"
    with duckdb.connect() as connection:
        assert connection.execute("select count(*) from read_parquet(?)", [str(copied)]).fetchall() == rows


def test_who_is_a_customer_on_the_last_day_has_a_row_in_current_health(base: Base, sample: Sample) -> None:
    customers = {
        row["account_id"] for row in _truth(sample) if not row["left_on"] or date.fromisoformat(row["left_on"]) > LAST
    }
    rows = ask(base.mart, "select account_id, day from marts.current_health")
    assert len(rows) == len(customers) > 40
    assert {account for account, _ in rows} == customers
    assert {day for _, day in rows} == {LAST}


def test_every_day_of_every_customer_is_scored_once_for_each_scorecard(base: Base) -> None:
    """No day is left out between the first and the last of an account, and each is there under both scorecards."""
    gaps = ask(
        base.mart,
        """
        select account_id, scorecard_id, count(*), count(distinct day), max(day) - min(day) + 1
        from marts.fct_health_scores group by all having count(*) <> max(day) - min(day) + 1
        """,
    )
    assert gaps == []
    assert ask(base.mart, "select min(day), max(day), count(distinct scorecard_id) from marts.fct_health_scores") == [
        (FIRST, LAST, 2)
    ]


def test_nothing_known_is_no_score_and_insufficient_data(base: Base) -> None:
    """Neither red nor green, and the bounds say that it could be anything."""
    rows = ask(
        base.mart,
        """
        select distinct score, raw_score, coverage, band, status, score_low, score_high
        from marts.fct_health_scores where measures_present = 0
        """,
    )
    assert rows == [(None, None, 0.0, "insufficient_data", "insufficient_data", 0.0, 100.0)]


def test_too_little_known_is_no_score_either(base: Base) -> None:
    rows = ask(
        base.mart,
        f"select score, band, status from marts.fct_health_scores where coverage < {FLOOR} and measures_present > 0",
    )
    assert len(rows) > 10
    assert set(rows) == {(None, "insufficient_data", "insufficient_data")}


def test_the_weighted_example_is_half_satisfaction_three_tenths_usage_two_tenths_retention(base: Base) -> None:
    """Worked out again in plain Python, over what is present, for every account and day."""
    groups: dict[tuple[str, date], dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for account, day, group, score in ask(
        base.mart,
        "select account_id, day, measure_group, measure_score from marts.fct_measure_scores "
        "where scorecard_id = 'weighted_example'",
    ):
        groups[account, day][group].append(score)
    scores = ask(
        base.mart,
        "select account_id, day, raw_score, score, coverage, adjustment from marts.fct_health_scores "
        "where scorecard_id = 'weighted_example'",
    )
    scored = 0
    for account, day, raw_score, score, coverage, adjustment in scores:
        measured = groups[account, day]
        assert measured.keys() == EXAMPLE.keys()
        known = {name: [one for one in found if one is not None] for name, found in measured.items()}
        weight = sum(EXAMPLE[name] for name, found in known.items() if found)
        share = sum(EXAMPLE[name] * len(found) / len(measured[name]) for name, found in known.items())
        assert coverage == pytest.approx(share, abs=1e-9)
        if not weight:
            assert raw_score is None
            continue
        expected = sum(EXAMPLE[name] * mean(found) for name, found in known.items() if found) / weight
        assert raw_score == pytest.approx(expected, abs=1e-9)
        if adjustment is None:  # by a customer success manager
            assert score == (raw_score if coverage >= FLOOR else None)
        scored += score is not None
    assert scored > 1_000
    assert any(len(found) == 3 and all(found.values()) for found in groups.values())


def test_a_decline_lowers_the_score(base: Base, sample: Sample) -> None:
    """The customers that turned away are known: their last two weeks stand well below what they had before."""
    falls = {}
    for row in _truth(sample):
        if row["archetype"] not in ("leaving", "silent") or not row["decline_starts_on"]:
            continue
        turned = date.fromisoformat(row["decline_starts_on"])
        end = min(LAST, date.fromisoformat(row["left_on"]) - timedelta(days=1) if row["left_on"] else LAST)
        if turned - FIRST < timedelta(days=10) or end - turned < timedelta(days=42):
            continue
        before, after = (
            ask(
                base.mart,
                "select avg(score) from marts.fct_health_scores where scorecard_id = 'standard' "
                f"and account_id = '{row['account_id']}' and day between date '{low}' and date '{high}'",
            )[0][0]
            for low, high in ((FIRST, turned - timedelta(days=1)), (end - timedelta(days=13), end))
        )
        if before is not None and after is not None:
            falls[row["account_id"]] = before - after
    assert len(falls) >= 5
    assert mean(falls.values()) > 15
    assert sum(fall > 0 for fall in falls.values()) >= len(falls) - 1


def test_the_dirt_in_the_input_is_counted_to_the_row(base: Base, sample: Sample) -> None:
    """Every planted row is reported once, with its file and line where it is the only one of its kind."""
    truth = json.loads((sample.truth / "dirt.json").read_text())
    found = {
        (entity, issue, title.split(" ")[0]): (rows, example)
        for entity, issue, title, rows, example in ask(
            base.mart, "select entity, issue, title, rows, example from marts.fct_input_issues"
        )
    }
    planted = Counter(
        (
            row["entity"],
            "rejected" if row["is_rejected"] else "unknown_account",
            f"{row['entity']}.{row['entity_column']}",
        )
        for row in truth["planted"]
    )
    usage = truth["usage_events"]
    planted["usage_events", "unknown_account", "usage_events.account_id"] = usage["unknown_users"]["rows"]
    planted["usage_events", "repeated_id", "usage_events.event_id"] = (
        usage["duplicates_in_a_file"] + usage["repeats_across_files"]
    )
    unplanted = {("tickets", "no_rating")}  # not every customer rates; it is said, but is no dirt
    assert {key: rows for key, (rows, _) in found.items() if key[:2] not in unplanted} == planted
    for row in truth["planted"]:
        issue = "rejected" if row["is_rejected"] else "unknown_account"
        key = (row["entity"], issue, f"{row['entity']}.{row['entity_column']}")
        if planted[key] == 1:
            assert found[key][1] == f"{row['file']} line {row['line']}"


def test_a_second_run_changes_nothing_and_says_so(base: Base) -> None:
    assert "Nothing is due" in base.again.out
    assert "Nothing was written" in base.again.out
    assert base.files_again == base.files
    assert "mart.duckdb" in " ".join(base.files)


def test_a_run_while_another_is_under_way_says_so_and_names_the_process(base: Base) -> None:
    assert base.meanwhile.code == 3
    assert base.meanwhile.out == ""
    assert "another run" in base.meanwhile.err
    assert f"process {base.pid}" in base.meanwhile.err
