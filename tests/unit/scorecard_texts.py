"""Scorecards as texts, and what loading them gives or says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.scorecards.load import LoadedScorecard, load_scorecards
from dagster_project.settings import ConfigError

MEASURES = ("csat", "nps", "tickets_per_100_seats_90d", "days_past_due", "usage_vs_baseline")

GOOD = """\
scorecard: standard
title: Standard
version: "1"
applies_to: default
coverage_floor: 0.7
bands: {red: 0, yellow: 50, green: 75}
groups:
  usage:
    title: Usage
    weight: 40
    measures:
      usage_vs_baseline: {weight: 1, max_age_days: 60, curve: {0: 0, 0.85: 100}}
  sentiment:
    title: Sentiment
    weight: 60
    roll_up: lowest
    measures:
      csat: {weight: 2, curve: {0: 0, 100: 100}}
      days_past_due:
        weight: 1
        steps: [{up_to: 0, score: 100}, {up_to: 7, score: 75}, {score: 0}]
exceptions:
  - when: {measure: days_past_due, above: 60}
    cap: 49
    because: late
"""


OF_LENSES = """\
scorecard: whole
title: Whole
version: "1"
lens: whole
applies_to: default
coverage_floor: 0.7
bands: {red: 0, yellow: 50, green: 75}
lenses: {overall: 3, product: {weight: 1}}
"""


def load(folder: Path, *texts: str) -> tuple[LoadedScorecard, ...]:
    """Scorecards from texts, in files a.yml, b.yml, ..."""
    for name, text in zip("abcdefgh", texts, strict=False):
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return load_scorecards(folder, MEASURES)


def problems(folder: Path, *texts: str) -> list[str]:
    """The problems, each as `file:line: rest`."""
    with pytest.raises(ConfigError) as refused:
        load(folder, *texts)
    return [problem.removeprefix(f"{folder}/") for problem in refused.value.problems]
