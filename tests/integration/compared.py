"""The story of a company judged against its peers and its own past, by lenses: all at once, and day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tests.integration.homes import LAST, Finished, Home
from tests.integration.stories import End, Sample, story

START = date(2025, 10, 29)  # an own baseline takes 56 days of values
STEPWISE = LAST - timedelta(days=2)  # from here on day by day
REPLAYED = (date(2025, 12, 20), date(2025, 12, 21))

LENS = """\
scorecard: {name}
title: {name}
version: "1"
lens: {name}
applies_to: default
coverage_floor: 0.5
grace_days: 30
bands: {{red: 0, yellow: 50, green: 75}}
peer_group: {peer_group}
groups:
  {name}: {{title: {name}, weight: 1, roll_up: {roll_up}, measures: {{{measures}}}}}
"""
RANKED = "curve: {0: 0, 100: 100}, normalise: peer_percentile"
SPREAD = "curve: {-2: 0, 2: 100}, normalise: peer_z_score"
OWN = "curve: {0: 0, 0.85: 100}, normalise: own_baseline"
AIMED = "curve: {0: 0, 1: 100}, normalise: target, target: 5"
SCORECARDS = {
    "product": (
        "all", "mean",
        f"stickiness: {{weight: 2, {RANKED}}}, active_users_to_seats: {{weight: 1, {OWN}}}, "
        f"events_per_active_user_28d: {{weight: 1, {SPREAD}}}, feature_breadth: {{weight: 1, {RANKED}}}",
    ),
    "relationship": (
        "segment", "mean",
        "csat: {weight: 1, curve: {0: 0, 100: 100}, shrink_to_peers: 5, max_age_days: 120}, "
        f"tickets_per_100_seats_90d: {{weight: 1, {AIMED}}}",
    ),
    "commercial": ("all", "lowest", "days_past_due: {weight: 1, steps: [{up_to: 0, score: 100}, {score: 30}]}, "
                   f"mrr_change: {{weight: 1, {SPREAD}}}"),
}  # fmt: skip
OVERALL = """\
scorecard: overall
title: Overall
version: "1"
applies_to: default
coverage_floor: 0.4
bands: {red: 0, yellow: 50, green: 75}
lenses: {product: 3, relationship: 2, commercial: 1}
exceptions:
  - {when: {lens: commercial, below: 40}, cap: 60, because: the commercial side is red}
"""


@dataclass(frozen=True)
class Compared:
    """The marts of one run over all days; of one that came to STEPWISE and went on day by day; of days scored again."""

    at_once: Path
    day_by_day: Path
    replayed: Path
    replay: Finished


@story()
def compared(folder: Path, sample: Sample, end: End) -> Compared:
    scorecards = folder / "scorecards"
    scorecards.mkdir(parents=True)
    (scorecards / "overall.yml").write_text(OVERALL)
    for name, (peer_group, roll_up, measures) in SCORECARDS.items():
        text = LENS.format(name=name, peer_group=peer_group, roll_up=roll_up, measures=measures)
        (scorecards / f"{name}.yml").write_text(text)
    days = {"first": START, "last": LAST}
    at_once = Home.make(folder / "at_once", sample.landing, scorecards=str(scorecards), days=days)
    at_once.run().succeeded()
    stepwise = Home.make(folder / "stepwise", sample.landing, scorecards=str(scorecards), days=days)
    stepwise.run("--from", f"{START}", "--to", f"{STEPWISE}").succeeded()
    for after in range(1, (LAST - STEPWISE).days):
        day = f"{STEPWISE + timedelta(days=after)}"
        stepwise.run("--from", day, "--to", day).succeeded()
    stepwise.run().succeeded()
    day_by_day = stepwise.keep_mart("day_by_day")
    first, last = REPLAYED
    replay = stepwise.run("--from", f"{first}", "--to", f"{last}").succeeded()
    return Compared(at_once.mart, day_by_day, stepwise.keep_mart("replayed"), replay)
