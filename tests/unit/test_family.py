"""What `health explain` and the page say of the accounts above and below one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dagster_project.commands.family import family, in_words, related
from dagster_project.destinations.mart import publish_mart
from dagster_project.report.page import write_page
from tests.marts_fixture import LAST_DAY, SCRIPT, build_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_warehouse(tmp_path_factory.mktemp("family") / "warehouse.duckdb", days=3)


@pytest.fixture(scope="module")
def mart(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        yield connection


def test_a_parent_is_told_together_with_those_below_it(mart: duckdb.DuckDBPyConnection) -> None:
    assert related(mart, "A0000", LAST_DAY, "overall") == [
        "Together with those below it: 61.2, yellow (3 accounts; ARR-weighted mean; 1 of 3 without a score); "
        f"lowest: {SCRIPT}, 12.5."
    ]


def test_what_does_not_count_or_is_not_known_is_said(mart: duckdb.DuckDBPyConnection) -> None:
    together = family(mart, "A0000", None, "overall")
    assert together is not None
    nothing = {"score": None, "band": "insufficient_data", "lowest_account_id": None, "accounts": 1}
    assert in_words(together | nothing | {"accounts_scored": 0, "counts_own": False, "roll_up": "worst"}) == (
        "Together with those below it: too little data (1 account, its own row does not count; the worst of them; "
        "1 of 1 without a score)."
    )


def test_a_child_names_its_parent(mart: duckdb.DuckDBPyConnection) -> None:
    (said,) = related(mart, "A0004", LAST_DAY, "overall")
    assert said.startswith("Parent: ")
    assert said.endswith("(A0000), with all below it 61.2, yellow.")
    assert related(mart, "A0002", LAST_DAY, "overall") == ["Parent: N0000, which is none of the accounts."]
    assert related(mart, "A0003", LAST_DAY, "overall") == []


def test_the_page_has_both(warehouse: Path, tmp_path: Path) -> None:
    file = tmp_path / "health.html"
    write_page(publish_mart(warehouse, tmp_path / "published").path, file)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(), re.DOTALL)
    assert found is not None
    accounts = {one["id"]: one for one in json.loads(found[1])["accounts"]}
    assert accounts["A0000"]["family"] == {
        "score": 61.25, "band": "yellow", "how": "arr_weighted_mean", "own": True, "accounts": 3, "scored": 2,
        "lowest": SCRIPT, "lowestScore": 12.5,
    }  # fmt: skip
    assert (accounts["A0003"]["family"], accounts["A0003"]["parent"]) == (None, None)
    assert accounts["A0002"]["parent"] == "N0000"
    assert accounts["A0001"]["parent"] == accounts["A0000"]["name"]
