"""The project beside a hand-written reference, the floor and peers, on the same files: `make bench SIZE=10m`.

    python -m benchmarks --size 10m [--rounds 3] [--contenders project,reference] [--contests year,day_365,day_30]

Contests: `year` is the first build of 365 days, from the files to the table of scores; `day_365` and `day_30` are one
more day on top of so many. Each contender is a process of its own; the order rotates from round to round; every table
is compared with the reference's. README.md says what the figures are. benchmarks/results/SIZE.json and .md are written
anew after every run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import yaml

from benchmarks import check
from benchmarks.company import FIRST_DAY, LAST_DAY, NEXT_DAY, ROOT, SIZES, Company, make, usage_file
from benchmarks.processes import FailedError, Figures, measure
from benchmarks.results import Results

YEAR = ("floor", "reference", "project", "polars", "pandas", "spark")
DAY = ("reference", "project")
HISTORIES = {"year": 365, "day_365": 365, "day_30": 30}
TOO_LARGE = {"100m": {"pandas"}}  # all in memory


@dataclass(frozen=True)
class Bench:
    """A company and the folder beside it, where contenders work: var/bench/SIZE."""

    company: Company

    @property
    def folder(self) -> Path:
        """Everything of this size."""
        return self.company.folder.parent

    def year(self, name: str) -> Figures:
        """From the files to the table of a year."""
        output = emptied(self.folder / "year" / name)
        if name == "project":
            return self._project(output, self.company.folder, FIRST_DAY, LAST_DAY)
        return self._script(name, self.company.folder, FIRST_DAY, LAST_DAY, output)

    def day(self, name: str, history: int) -> Figures:
        """One more day on top of so many, each time from the same state."""
        kept, output = self.keep_history(name, history), emptied(self.folder / f"day_{history}" / name)
        shutil.copytree(kept, output, dirs_exist_ok=True, symlinks=True)
        landing = self._landing(history)
        arrived = usage_file(self.company.folder, NEXT_DAY)
        if name == "reference":
            return self._script(name, landing, NEXT_DAY, NEXT_DAY, output, "--day", str(arrived))
        target = landing / "usage" / arrived.name
        target.symlink_to(arrived)
        try:
            return self._project(output, landing, _first(history), NEXT_DAY)
        finally:
            target.unlink()

    def table(self, contest: str, name: str) -> Path:
        """The table of scores that a contender has left."""
        output = self.folder / contest / name
        if name == "project":
            first, last = (FIRST_DAY, LAST_DAY) if contest == "year" else (NEXT_DAY, NEXT_DAY)
            check.write_marts(output / "home" / "published" / "mart.duckdb", emptied(output / "table"), first, last)
            return output / "table" / "*.parquet"
        return output / ("scores.parquet/*.parquet" if name == "spark" else "scores.parquet")

    def keep_history(self, name: str, history: int) -> Path:
        """What a contender keeps of the days before: made once, by the year's run where that is it."""
        output = self.folder / ("year" if history == 365 else f"history_{history}") / name
        done = output / ("home/published/mart.duckdb" if name == "project" else "facts.duckdb")
        if not done.exists():
            print(f"  making {history} days of history for {name}", flush=True)
            emptied(output)
            landing = self._landing(history)
            if name == "project":
                self._project(output, landing, _first(history), LAST_DAY)
            else:
                self._script(name, landing, _first(history), LAST_DAY, output)
        return output

    def _landing(self, history: int) -> Path:
        """A folder with the last days' usage alone, and everything else."""
        landing = self.folder / f"landing_{history}"
        emptied(landing / "usage")
        for file in self.company.folder.glob("*.parquet"):
            (landing / file.name).unlink(missing_ok=True)
            (landing / file.name).symlink_to(file)
        for number in range(history):
            file = usage_file(self.company.folder, LAST_DAY - timedelta(number))
            (landing / "usage" / file.name).symlink_to(file)
        return landing

    def _script(self, name: str, landing: Path, first: date, last: date, output: Path, *more: str) -> Figures:
        command = [sys.executable, "-m", f"benchmarks.contenders.{name}"]
        given = [str(landing), str(first), str(last), str(output), *more]
        return measure([*command, *given], os.environ, output / "log.txt")

    def _project(self, output: Path, landing: Path, first: date, last: date) -> Figures:
        """`health run`, as anybody runs it."""
        config = yaml.safe_load((ROOT / "benchmarks" / "config" / "pipeline.yml").read_text(encoding="utf-8"))
        config |= {"home": str(output / "home"), "days": {"first": first, "last": last}}
        config["sources"]["files"]["folder"] = str(landing)
        file = output / "pipeline.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        environ = {name: value for name, value in os.environ.items() if name != "HEALTH_DATA"}
        command = [str(Path(sys.executable).with_name("health")), "run"]
        return measure(command, environ | {"HEALTH_CONFIG": str(file)}, output / "log.txt")


def emptied(folder: Path) -> Path:
    """A new, empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _first(history: int) -> date:
    return LAST_DAY - timedelta(history - 1)


def rotated(names: Sequence[str], by: int) -> list[str]:
    """The same names in the same circle, beginning with another."""
    start = by % len(names)
    return [*names[start:], *names[:start]]


def compete(
    bench: Bench, contest: str, names: Sequence[str], rounds: int, run: Callable[[str], Figures], results: Results
) -> None:
    """All rounds of a contest; tables are compared in the first."""
    for number in range(rounds):
        for name in rotated(names, number):
            try:
                figures = run(name)
            except FailedError as error:
                print(f"{contest} {name}: {error}", flush=True)
                results.add_failure(contest, name, str(error))
                continue
            print(
                f"{contest:8} round {number + 1} {name:10} {figures.seconds:8.1f} s, processor "
                f"{figures.processor_seconds:8.1f} s, memory {figures.megabytes:6,.0f} MB",
                flush=True,
            )
            results.add(contest, name, figures)
        if number == 0:
            _compare(bench, contest, names, results)


def _compare(bench: Bench, contest: str, names: Sequence[str], results: Results) -> None:
    others = [name for name in names if name not in ("floor", "reference") and results.has_run(contest, name)]
    if not results.has_run(contest, "reference"):
        return
    for name in others:
        try:
            rows = check.assert_same(bench.table(contest, "reference"), bench.table(contest, name))
            results.set_equal(contest, name, f"equal in {rows:,} rows")
        except check.DifferentError as error:
            print(error, flush=True)
            results.set_equal(contest, name, "DIFFERENT")


def main() -> None:
    """Run the contests."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="1m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", default=",".join(YEAR))
    parser.add_argument("--contests", default=",".join(HISTORIES))
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    bench = Bench(Company(given.size, given.seed))
    make(bench.company)
    wanted = set(given.contenders.split(",")) - TOO_LARGE.get(given.size, set())
    results = Results(given.size, bench.company)
    for contest in given.contests.split(","):
        history = HISTORIES[contest]
        names = [name for name in (YEAR if contest == "year" else DAY) if name in wanted]
        run: Callable[[str], Figures] = bench.year
        if contest != "year":
            run = partial(bench.day, history=history)
            for name in names:
                bench.keep_history(name, history)
        compete(bench, contest, names, given.rounds, run, results)
    print(f"\n{results.table()}")
    sys.exit(1 if results.has_difference() else 0)


if __name__ == "__main__":
    main()
