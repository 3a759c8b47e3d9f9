"""The state of the portfolio in a few figures, from the published mart; and those figures as text for a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from dagster_project.report.reading import Mart, open_mart

BANDS = ("red", "yellow", "green", "insufficient_data")
BAND_TITLES = {"red": "red", "yellow": "yellow", "green": "green", "insufficient_data": "too little data"}
AT_RISK_SHOWN = 10
MISSING_SHOWN = 3  # measures that some accounts lack; those that all lack are all named


@dataclass(frozen=True)
class BandTotal:
    """Accounts of one band: how many, their ARR (company currency), and its share of all ARR, 0 to 1."""

    band: str
    accounts: int
    arr: Decimal
    arr_share: float | None


@dataclass(frozen=True)
class AtRisk:
    """An account that needs attention; `drivers_down` says in words what costs it most."""

    account_id: str
    account_name: str | None
    owner: str | None
    band: str
    score: float
    trend_30d: float | None
    arr: Decimal | None
    renewal_on: date | None
    drivers_down: str | None


@dataclass(frozen=True)
class InputIssue:
    """A kind of dirt found in the input, with the number of rows that have it."""

    source: str
    entity: str
    issue: str
    title: str
    rows: int
    example: str | None


@dataclass(frozen=True)
class Summary:
    """The portfolio on its last scored day, by the scorecard that `scorecard` names (id and version).

    `bands` has every band, also empty ones; `at_risk` the ten red or yellow accounts with the lowest score, the
    larger ARR first among equals; `input_issues` rows set aside first, then broken hierarchies (a few rows
    spoil whole families), then the most frequent; `coverage_note` says in words how much of the expected data was
    there, and which measures lack it.
    """

    day: date | None
    scorecard: str
    accounts: int
    arr: Decimal
    accounts_without_arr: int
    bands: tuple[BandTotal, ...]
    at_risk: tuple[AtRisk, ...]
    breaches_opened: int
    breaches_open: int
    input_issues: tuple[InputIssue, ...]
    coverage_note: str


def portfolio_summary(mart: Path) -> Summary:
    """Reads the summary of the last scored day from a published mart; ReportError if it cannot be read."""
    with open_mart(mart) as opened:
        return summarise(opened)


def summarise(mart: Mart) -> Summary:
    """The same from a mart that is open already."""
    totals = mart.row(
        "select max(day) as day, count(*) as accounts, coalesce(sum(arr), 0) as arr, "
        "count(*) filter (where arr is null) as accounts_without_arr, "
        "string_agg(distinct concat_ws(' version ', scorecard_id, scorecard_version), ', ' "
        "order by concat_ws(' version ', scorecard_id, scorecard_version)) as scorecard from current_health"
    )
    breaches = mart.row(
        "select count(*) filter (where opened_on = $day::date) as opened, count(*) filter (where is_open) as open "
        "from fct_breaches",
        {"day": totals["day"]},
    )
    at_risk = mart.rows(
        "select account_id, account_name, owner, band, score, trend_30d, arr, renewal_on, drivers_down "
        "from current_health where band in ('red', 'yellow') and score is not null "
        "order by score, arr desc nulls last, account_id limit $shown",
        {"shown": AT_RISK_SHOWN},
    )
    issues = mart.rows(
        "select source, entity, issue, title, rows, example from fct_input_issues where rows > 0 "
        "order by issue <> 'feed_outage', issue <> 'rejected', not starts_with(issue, 'hierarchy'), rows desc, source, "
        "entity, issue, title"
    )
    return Summary(
        day=totals["day"],
        scorecard=totals["scorecard"] or "",
        accounts=totals["accounts"],
        arr=totals["arr"],
        accounts_without_arr=totals["accounts_without_arr"],
        bands=_bands(mart, totals["arr"]),
        at_risk=tuple(AtRisk(**row) for row in at_risk),
        breaches_opened=breaches["opened"],
        breaches_open=breaches["open"],
        input_issues=tuple(InputIssue(**row) for row in issues),
        coverage_note=_coverage_note(mart),
    )


def _bands(mart: Mart, all_arr: Decimal) -> tuple[BandTotal, ...]:
    """Every band in order of severity, then any band the mart has beyond those known here."""
    found = {
        row["band"]: row
        for row in mart.rows(
            "select coalesce(band, 'insufficient_data') as band, count(*) as accounts, coalesce(sum(arr), 0) as arr "
            "from current_health group by 1 order by 1"
        )
    }
    totals = []
    for band in [*BANDS, *(name for name in found if name not in BANDS)]:
        row = found.get(band, {"accounts": 0, "arr": Decimal(0)})
        share = float(row["arr"] / all_arr) if all_arr else None
        totals.append(BandTotal(band, row["accounts"], row["arr"], share))
    return tuple(totals)


def _coverage_note(mart: Mart) -> str:
    """How much of the expected data was there on the last day, and which measures lack it most."""
    row = mart.row(
        "select count(*) as accounts, avg(coverage) as coverage, "
        "count(*) filter (where band = 'insufficient_data' or score is null) as unscored from current_health"
    )
    if not row["accounts"]:
        return "No account was scored."
    note = f"On average {percent(row['coverage'])} of the scorecard's weight rests on data."
    if row["unscored"]:
        note += f" {count(row['unscored'], 'account has', 'accounts have')} too little to be judged."
    # The scorecards and the day of current_health only: other lenses have their own measures.
    missing = mart.rows(
        "select coalesce(max(d.title), m.measure) as title, count(*) filter (where m.missing_reason is not null) as n, "
        "count(*) as expected "
        "from fct_measure_scores as m "
        "inner join current_health as c using (account_id, day, scorecard_hash) "
        "left join dim_scorecard_measures as d using (scorecard_hash, measure) "
        "group by m.measure having n > 0 order by n desc, 1"
    )
    never = [each["title"] for each in missing if each["n"] == each["expected"]]
    some = [each for each in missing if each["n"] < each["expected"]][:MISSING_SHOWN]
    if never:
        note += f" Known for no account: {'; '.join(never)}."
    if some:
        counts = (f"{each['title']} ({each['n']:,} of {each['expected']:,})" for each in some)
        note += f" Not known for some accounts: {'; '.join(counts)}."
    return note


def percent(share: float | None) -> str:
    """A share of 1 as whole percent; a dash if not known. Only 0 and 1 themselves read 0 % and 100 %."""
    if share is None:
        return "–"
    rounded = round(share * 100)
    if rounded == 0 and share > 0:
        return "< 1 %"
    if rounded == 100 and share < 1:
        return "> 99 %"
    return f"{rounded} %"


def signed(change: float, digits: int) -> str:
    """A change of points with its sign, as in +3.2; what rounds to nothing has the sign of nothing, not of a loss."""
    return f"{round(change, digits) + 0.0:+.{digits}f}"


def points(score: float | None) -> str:
    """A score with one decimal, cut and not rounded: 49.97 is red and must not read 50.0. A dash if not known."""
    # The inner rounding keeps 67.1, which is 67.0999... in binary, at 67.1.
    return "–" if score is None else f"{math.floor(round(score * 10, 6)) / 10:.1f}"


def count(number: int, one: str, many: str) -> str:
    """A number with its noun: `1 account`, `2,000 accounts`."""
    return f"{number:,} {one if number == 1 else many}"
