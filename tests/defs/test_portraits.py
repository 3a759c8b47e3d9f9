"""What the UI shows of the marts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import dagster as dg
import duckdb
import pytest

from dagster_project.components.common import table
from dagster_project.components.portraits import _as_url, histogram, table_metadata
from tests.marts_fixture import LAST_DAY, build_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = build_warehouse(tmp_path_factory.mktemp("portraits") / "warehouse.duckdb", days=5)
    with duckdb.connect(str(path)) as connection:
        yield connection


def test_every_table_tells_its_rows(warehouse: duckdb.DuckDBPyConnection) -> None:
    known = table_metadata(warehouse)
    assert known["marts/dim_accounts"] == {"dagster/row_count": 41}
    assert known["marts/fct_health_scores"] == {"dagster/row_count": 41 * 5}


def test_current_health_tells_bands_as_numbers_that_plot(warehouse: duckdb.DuckDBPyConnection) -> None:
    shown = table_metadata(warehouse)["marts/current_health"]
    bands = dict(warehouse.execute("select band, count(*) from marts.current_health group by band").fetchall())
    assert {band: shown[f"accounts_{band}"] for band in bands} == bands
    assert shown["accounts"] == sum(bands.values()) == 41
    assert shown["day"] == LAST_DAY
    assert 0 < shown["mean_score"] < 100
    assert isinstance(shown["score_distribution"], dg.MarkdownMetadataValue)
    rows = {record.data["band"]: record.data["accounts"] for record in shown["bands"].records}
    assert rows == bands


def test_breaches_are_a_table_by_rule(warehouse: duckdb.DuckDBPyConnection) -> None:
    shown = table_metadata(warehouse)["marts/fct_breaches"]
    red = warehouse.execute("select count(*) from marts.current_health where band = 'red'").fetchall()[0][0]
    assert red > 0
    assert (shown["open"], shown["opened_on_newest_day"]) == (red, red)
    assert [record.data["ever"] for record in shown["by_rule"].records] == [red, red]


def test_input_issues_are_a_table(warehouse: duckdb.DuckDBPyConnection) -> None:
    shown = table_metadata(warehouse)["marts/fct_input_issues"]
    assert shown["rows_with_issues"] == 848
    assert [record.data["rows"] for record in shown["issues"].records] == [825, 21, 2]


def test_marts_without_rows_are_shown_too() -> None:
    with duckdb.connect() as empty:
        empty.execute("create schema marts")
        empty.execute(
            "create table marts.current_health "
            "(band varchar, arr decimal(18, 4), score double, coverage double, day date)"
        )
        shown = table_metadata(empty)["marts/current_health"]
    assert (shown["accounts"], shown["day"]) == (0, "none yet")
    assert "bands" not in shown


def test_the_bars_are_as_tall_as_the_counts() -> None:
    picture = ElementTree.fromstring(histogram([(2, "red", 10), (9, "red", 5), (9, "yellow", 15), (19, "green", 40)]))
    bars = {
        path.get("stroke"): re.findall(r"M(\d+) (\d+)v-(\d+)", path.get("d", ""))
        for path in picture.iter()
        if path.get("d")
    }
    red, yellow, green = bars.values()
    tall = {colour: [int(bar[2]) for bar in of] for colour, of in zip("ryg", (red, yellow, green), strict=True)}
    assert tall["g"] == [130]  # the tallest fills the picture
    assert tall["r"] == pytest.approx([130 / 4, 130 / 8], abs=1)
    assert tall["y"] == pytest.approx([130 * 15 / 40], abs=1)
    assert int(yellow[0][1]) == pytest.approx(int(red[1][1]) - int(red[1][2]), abs=1), "stands on the red one"
    assert [int(bar[0]) for bar in green] == [19 * 32 + 16]


def test_the_picture_is_short_enough_to_be_shown_in_its_place() -> None:
    """The UI puts 1,000 characters or more behind a link."""
    every = [
        (place, "red" if place < 10 else "yellow" if place < 15 else "green", 100 + 77 * place) for place in range(20)
    ]
    at_the_lines = [(10, "red", 50), (15, "yellow", 50)]
    assert len(f"![accounts by score]({_as_url(histogram([*every, *at_the_lines]))})") < 1_000


def test_a_table_without_rows_is_left_out() -> None:
    assert table("issues", ("entity", "rows"), []) == {}
    (record,) = table("issues", ("entity", "day"), [("tickets", LAST_DAY)])["issues"].records
    assert record.data == {"entity": "tickets", "day": LAST_DAY}
