"""`health whatif`: what other weights, or another scorecard, would make of every day scored so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from dagster_project.commands.run import Progress
from dagster_project.scorecards.load import LoadedScorecard, load_scorecards
from dagster_project.scorecards.proposals import Proposal, in_force, parse_weights, with_file, with_weights
from dagster_project.settings import ConfigError, Settings

DEFAULT_LENS = "overall"


def imagine(settings: Settings, weights: str | None, scorecard: Path | None, lens: str | None, *, quiet: bool) -> int:
    """Score all kept days by the proposal, in a scratch file, and print what would change.

    Returns the exit code: 0 done, 1 there is nothing to compare with or scoring failed, 2 the proposal is wrong, 3 a
    run is under way.
    """
    if (weights is None) == (scorecard is None):
        print(
            "Say what to try: either --weights GROUP=WEIGHT,... or --scorecard FILE, not both. "
            "For example: health whatif --weights usage=60",
            file=sys.stderr,
        )
        return 2
    progress = Progress(sys.stdout, quiet=quiet)
    from dagster_project.components import scratch

    try:
        wanted = None if weights is None else parse_weights(weights)  # before anything is opened
        loaded = load_scorecards(settings.scorecards)
        days = scratch.scored_days(settings)
        if scorecard is not None:
            proposal = with_file(loaded, scorecard, lens)
        else:
            proposal = with_weights(loaded, lens or DEFAULT_LENS, wanted or {}, days[1])
        progress.say(
            f"{settings.company}: {'; '.join(proposal.changes) or 'nothing differs from the scorecards in config'}"
        )
        return _compare(settings, loaded, proposal, days, progress)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (scratch.NothingKeptError, scratch.ScoringFailedError) as error:
        print(error, file=sys.stderr)
        return 1
    except scratch.WarehouseInUseError as error:
        print(error, file=sys.stderr)
        return 3


def _compare(
    settings: Settings,
    loaded: Sequence[LoadedScorecard],
    proposal: Proposal,
    days: tuple[date, date],
    progress: Progress,
) -> int:
    from dagster_project.components import scratch
    from dagster_project.report.comparison import compare
    from dagster_project.report.comparison_text import render_comparison

    with scratch.rescored(settings, proposal, days, progress.say) as file:
        progress.say("Comparing")
        comparison = compare(file)
    progress.say("Done\n")
    print(render_comparison(comparison, proposal.lens, proposal.changes), end="")
    if not comparison.hashes <= {one.hash for one in loaded if in_force(one, comparison.day)}:
        print("The scorecards in config have changed since the last run; 'as it is' is by those of that run.")
    if days[0] > settings.days.first:
        print(
            f"Measures are kept from {days[0]} on; `health run --from {settings.days.first}` keeps those of the days "
            "before as well."
        )
    return 0
