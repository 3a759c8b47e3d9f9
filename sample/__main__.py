"""The command line: `python -m sample --seed 7 --folder var/sample/landing`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sample.generate import generate
from sample.parameters import Parameters, SampleError


def main(arguments: list[str] | None = None) -> int:
    """Make the sample company as the arguments ask; returns the exit code (2: it cannot be made as asked)."""
    parser = argparse.ArgumentParser(prog="python -m sample", description="Make the bundled sample company's files.")
    parser.add_argument("--seed", type=int, default=Parameters.seed, help="the same seed gives the same bytes")
    where = "where the files go; the truth goes to `truth` beside it"
    parser.add_argument("--folder", type=Path, default=Path("var/sample/landing"), help=where)
    parser.add_argument("--accounts", type=int, default=Parameters.accounts)
    parser.add_argument("--months", type=int, default=Parameters.months, help=f"counted from {Parameters.first_day}")
    parser.add_argument("--force", action="store_true", help="make it anew, even if it is there")
    given = parser.parse_args(arguments)
    try:
        parameters = Parameters(seed=given.seed, accounts=given.accounts, months=given.months)
        generate(given.folder, parameters, force=given.force)
    except SampleError as error:
        print(f"sample: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
