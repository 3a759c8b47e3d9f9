"""The contenders, one module each: `python -m benchmarks.contenders.NAME LANDING FIRST LAST OUTPUT`.

Each reads the company's files in the folder LANDING and writes the table of scores, from the day FIRST to LAST, into
the folder OUTPUT as scores.parquet. `floor` only reads.
"""

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """What a contender has to do."""

    landing: Path
    first: date
    last: date
    output: Path

    @property
    def usage(self) -> str:
        """The files of usage events."""
        return str(self.landing / "usage" / "*.parquet")

    @property
    def scores(self) -> str:
        """Where the table goes."""
        return str(self.output / "scores.parquet")


def given() -> Task:
    """The task that the command line gives."""
    landing, first, last, output = sys.argv[1:]
    return Task(Path(landing), date.fromisoformat(first), date.fromisoformat(last), Path(output))
