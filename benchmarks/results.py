"""The figures of a benchmark as JSON and as a short table, in benchmarks/results."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.company import ROOT, Company
from benchmarks.processes import Figures

FOLDER = ROOT / "benchmarks" / "results"
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "polars", "pandas", "pyarrow", "pyspark")
TITLES = {
    "year": "The first build: a year, from the files to the table",
    "day_365": "One more day on top of 365",
    "day_30": "One more day on top of 30",
}


@dataclass
class Results:
    """All runs so far. What is added is written at once: a run that is cut off keeps what it has measured."""

    size: str
    company: Company
    contests: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, contest: str, name: str, figures: Figures) -> None:
        """Note a run."""
        one = self._of(contest, name)
        one["runs"].append({key: round(value, 3) for key, value in asdict(figures).items()})
        one["median"] = {
            key: round(statistics.median(run[key] for run in one["runs"]), 3) for key in Figures.__dataclass_fields__
        }
        self._write()

    def add_failure(self, contest: str, name: str, message: str) -> None:
        """Note a run that failed."""
        self._of(contest, name)["table"] = f"FAILED: {Path(message).name}"
        self._write()

    def set_equal(self, contest: str, name: str, told: str) -> None:
        """Note how the table compares with the reference's."""
        self._of(contest, name)["table"] = told
        self._write()

    def has_run(self, contest: str, name: str) -> bool:
        """Whether there is a run."""
        return bool(self.contests.get(contest, {}).get(name, {}).get("runs"))

    def has_difference(self) -> bool:
        """Whether a contender failed, or gave another table than the reference."""
        tables = (one["table"] for contest in self.contests.values() for one in contest.values())
        return any(table.startswith(("DIFFERENT", "FAILED")) for table in tables)

    def table(self) -> str:
        """All contests as Markdown."""
        lines = [f"# {self.size}: {_machine()}, {_today()}", ""]
        for contest, contenders in self.contests.items():
            reference = contenders.get("reference", {}).get("median")
            runs = max(len(one["runs"]) for one in contenders.values())
            lines += [f"{TITLES[contest]}, medians of {runs} run{'s' if runs > 1 else ''}", ""]
            lines += ["| contender | seconds | of the reference | processor seconds | of the reference | MB | table |"]
            lines += ["|---|---|---|---|---|---|---|"]
            for name, one in contenders.items():
                lines.append(_row(name, one, reference))
            lines.append("")
        return "\n".join(lines)

    def _of(self, contest: str, name: str) -> dict[str, Any]:
        return self.contests.setdefault(contest, {}).setdefault(name, {"runs": [], "table": ""})

    def _write(self) -> None:
        content = {
            "size": self.size,
            "company": asdict(self.company),
            "measured_on": _today(),
            "machine": _machine(),
            "python": platform.python_version(),
            "versions": {name: found for name in PACKAGES if (found := _version(name))},
            "contests": self.contests,
        }
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.size}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        (FOLDER / f"{self.size}.md").write_text(self.table(), encoding="utf-8")


def _row(name: str, one: dict[str, Any], reference: dict[str, float] | None) -> str:
    median = one.get("median")
    if median is None:
        return f"| {name} | | | | | | {one['table']} |"

    def ratio(key: str) -> str:
        return f"{median[key] / reference[key]:.2f}" if reference else ""

    return (
        f"| {name} | {median['seconds']:.1f} | {ratio('seconds')} | {median['processor_seconds']:.1f} | "
        f"{ratio('processor_seconds')} | {median['megabytes']:,.0f} | {one['table']} |"
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
