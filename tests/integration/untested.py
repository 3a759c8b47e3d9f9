"""The story of marts that fail a test: it is long, so only `make acceptance` tells it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dagster_project.settings import load_settings
from tests.integration.homes import LAST, Finished
from tests.integration.stories import End, Sample, story


@dataclass(frozen=True)
class Untested:
    """A dbt test fails on the marts; then they are mended, with `published/` cleared; then it is cleared once more."""

    failed: Finished
    publish_alone: Finished
    mart_after_failure: Path
    mended: Finished
    mart: Path
    cleared: Finished
    delivered: list[bool]


@story("base")
def untested(folder: Path, sample: Sample, end: End) -> Untested:
    home = end("base").home.copy(folder)
    row = "from marts.fct_health_scores where day = date '2025-08-05' order by account_id, scorecard_hash limit 1"
    home.change_warehouse(f"insert into marts.fct_health_scores select * replace (null as account_id) {row}")
    failed = home.run("--from", f"{LAST}")
    publish_alone = home.materialize("published/mart")
    mart_after_failure = home.keep_mart("after_failure")
    home.change_warehouse("delete from marts.fct_health_scores where account_id is null")
    shutil.rmtree(home.published)
    mended = home.run().succeeded()
    mart = home.keep_mart("mended")
    shutil.rmtree(home.published)
    cleared = home.run().succeeded()
    delivered = [path.exists() for path in load_settings(folder / "pipeline.yml", {}).delivered_paths]
    return Untested(failed, publish_alone, mart_after_failure, mended, mart, cleared, delivered)
