"""The story of raw usage that config no longer keeps: dropped, not missed, and read again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from sample.__main__ import main as make_sample
from tests.integration.homes import Finished, Home
from tests.integration.stories import End, Sample, story

FIRST, THEN, LAST = date(2025, 7, 1), date(2025, 7, 4), date(2025, 7, 9)  # scored: to THEN, then the rest
KEPT_DAYS, REPEATS_DAYS = 147, 28  # the fewest that config takes
GONE = "2025-01.parquet"  # a file of days that are all dropped
RAW = "from raw_files.usage_events"
FACTS = "select * from intermediate.int_usage__daily order by all"


@dataclass(frozen=True)
class Dropped:
    """One company with everything kept; another that drops, then keeps all again, first without a file, then with it.

    `raw` is of the other: (rows, first known day) after each of its runs, by the name of what was done.
    """

    all_kept: tuple[Path, list[Any], int]  # the marts, the daily facts, the raw rows
    first: Finished
    rest: Finished
    again: Finished
    marts: Path
    facts: list[Any]
    files: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]
    raw: dict[str, tuple[int, date]]
    without_a_file: Finished
    marts_read_again: Path
    facts_read_again: list[Any]


@story()
def dropped(folder: Path, sample: Sample, end: End) -> Dropped:
    landing = folder / "landing"
    make_sample(["--seed", "7", "--accounts", "20", "--months", "9", "--folder", str(landing)])
    days = {"first": FIRST, "last": LAST}
    everything = Home.make(folder / "everything", landing, days=days)
    everything.run().succeeded()
    all_kept = everything.keep_mart("marts"), everything.ask_warehouse(FACTS), _raw(everything)[0]

    retention = {"usage_events_days": KEPT_DAYS, "repeats_days": REPEATS_DAYS}
    home = Home.make(folder / "dropping", landing, days=days, retention=retention)
    raw: dict[str, tuple[int, date]] = {}
    first = home.run("--from", f"{FIRST}", "--to", f"{THEN}").succeeded()
    raw["first"] = _raw(home)
    rest = home.run().succeeded()
    raw["rest"] = _raw(home)
    marts, facts, files = home.keep_mart("marts"), home.ask_warehouse(FACTS), home.files()
    again = home.run().succeeded()
    files_again = home.files()

    _change(home, lambda config: config["retention"].pop("usage_events_days"))
    shutil.move(landing / "usage" / GONE, folder)
    without_a_file = home.run().succeeded()
    raw["without a file"] = _raw(home)
    shutil.move(folder / GONE, landing / "usage")
    home.run("--from", f"{FIRST}").succeeded()
    raw["with it"] = _raw(home)
    return Dropped(
        all_kept, first, rest, again, marts, facts, (files, files_again), raw, without_a_file,
        home.keep_mart("read_again"), home.ask_warehouse(FACTS),
    )  # fmt: skip


def _raw(home: Home) -> tuple[int, date]:
    return home.ask_warehouse(f"select count(*), min(known_at)::date {RAW}")[0]  # type: ignore[return-value]


def _change(home: Home, change: Callable[[dict[str, Any]], object]) -> None:
    file = home.folder / "pipeline.yml"
    config = yaml.safe_load(file.read_text())
    change(config)
    file.write_text(yaml.safe_dump(config))
