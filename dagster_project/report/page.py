"""Writes the page people look at: one HTML file with everything in it, which needs no server and no network.

The portfolio, the data quality and the footer are written as HTML; the table of accounts is drawn by page.js from
JSON inside the file. A content security policy in the page lets only our own style and script run, so that even a
name that got past the escaping could not do anything.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dagster_project.report.reading import Mart, Row, open_mart
from dagster_project.report.summary import BAND_TITLES, Summary, count, percent, points, summarise

_TEMPLATES = Path(__file__).parent / "templates"
# More would make the file slow to open; the worst come first, and the page says how many are left out.
MAX_ACCOUNTS = 3000
HISTORY_DAYS = 90


@dataclass(frozen=True)
class PagePath:
    """The page written: where, how many accounts its table has, and its size in bytes."""

    path: Path
    accounts: int
    bytes: int


def write_page(mart: Path, file: Path) -> PagePath:
    """Writes the page for the published mart's last day, replacing the old one at once.

    The same mart gives the same bytes. Raises ReportError when the mart cannot be read.
    """
    with open_mart(mart) as opened:
        summary = summarise(opened)
        accounts = _accounts(opened, summary.day)
        footer = _footer(opened)
    html = _render(summary, accounts, footer).encode()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    _replace(file, html)
    return PagePath(file, len(accounts), len(html))


def _render(summary: Summary, accounts: list[Row], footer: Row) -> str:
    """The page as text; every value is escaped by the template engine, the data by its JSON filter."""
    # loader: only these files; autoescape: a name such as <script> is text wherever it is put.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    # The page's own style and script are the only texts that go in as they are (Markup, below).
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters.update(percent=percent, points=points, money=_money, short_money=_short_money)
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    last = summary.day
    data = {
        "lastDay": last.isoformat() if last else None,
        "firstDay": (last - timedelta(days=HISTORY_DAYS - 1)).isoformat() if last else None,
        "bandTitles": BAND_TITLES,
        "accounts": accounts,
    }
    return environment.get_template("page.html").render(
        summary=summary, data=data, footer=footer, titles=BAND_TITLES, count=count,
        left_out=max(0, summary.accounts - len(accounts)), red=_band(summary, "red"), yellow=_band(summary, "yellow"),
        style=Markup(style), script=Markup(script),
        style_hash=_source_hash(style), script_hash=_source_hash(script),
    )  # fmt: skip


def _accounts(mart: Mart, last: date | None) -> list[Row]:
    """Accounts for the table, lowest score first, those without a score last; values fit for JSON."""
    rows = mart.rows(
        "select account_id as id, account_name as name, owner, segment, plan, lifecycle_stage as stage, band, score, "
        "coverage, score_low as low, score_high as high, trend_7d as t7, trend_30d as t30, trend_90d as t90, arr, "
        "renewal_on as renewal, days_to_renewal as renewalDays, drivers_down as down, drivers_up as up, adjustment, "
        "open_breaches as breaches from current_health "
        "order by score nulls last, arr desc nulls last, account_id limit $shown",
        {"shown": MAX_ACCOUNTS},
    )
    shown = {row["id"] for row in rows}
    history = _history(mart, last, shown)
    families, parents = _families(mart, last), _parents(mart)
    breaches = _open_breaches(mart, shown)
    for row in rows:
        row["band"] = row["band"] or "insufficient_data"
        for drivers in ("down", "up"):
            row[drivers] = [words for words in (row[drivers] or "").split("; ") if words]
        row["history"] = history.get(row["id"], [])
        row["openBreaches"] = breaches.get(row["id"], [])
        row["family"] = families.get(row["id"])
        row["parent"] = parents.get(row["id"])
    return [{name: _json_value(value) for name, value in row.items()} for row in rows]


def _history(mart: Mart, last: date | None, shown: set[str]) -> dict[str, list[float | None]]:
    """Scores of the last 90 days by account, oldest first; None where there is none."""
    if last is None:
        return {}
    first = last - timedelta(days=HISTORY_DAYS - 1)
    # A candidate version is scored beside the active one: it must not be mixed into the line.
    rows = mart.rows(
        "select s.account_id as id, s.day, max_by(s.score, coalesce(d.is_current, false)::integer) as score "
        "from fct_health_scores as s inner join dim_scorecards as d using (scorecard_hash) "
        "where s.lens = 'overall' and d.status = 'active' and s.day between $first and $last group by all",
        {"first": first, "last": last},
    )
    history: dict[str, list[float | None]] = {}
    for row in rows:
        if row["id"] in shown and row["score"] is not None:
            line = history.setdefault(row["id"], [None] * HISTORY_DAYS)
            line[(row["day"] - first).days] = round(row["score"], 1)
    return history


def _families(mart: Mart, last: date | None) -> dict[str, Row]:
    """The last day's health of each account together with those below it, by account; values fit for JSON."""
    rows = mart.rows(
        "select p.account_id as id, p.score, p.band, p.roll_up as how, p.counts_own as own, p.accounts, "
        "p.accounts_scored as scored, coalesce(a.account_name, p.lowest_account_id) as lowest, "
        "p.lowest_score as lowestScore from fct_parent_scores as p "
        "left join dim_accounts as a on p.lowest_account_id = a.account_id where p.lens = 'overall' and p.day = $last",
        {"last": last},
    )
    return {row.pop("id"): {name: _json_value(value) for name, value in row.items()} for row in rows}


def _parents(mart: Mart) -> dict[str, str]:
    """What people call each account's parent, by account; its id where it is none of the accounts."""
    rows = mart.rows(
        "select c.account_id as id, coalesce(p.account_name, c.parent_account_id) as parent from dim_accounts as c "
        "left join dim_accounts as p on c.parent_account_id = p.account_id where c.parent_account_id is not null"
    )
    return {row["id"]: row["parent"] for row in rows}


def _open_breaches(mart: Mart, shown: set[str]) -> dict[str, list[list[object]]]:
    """Open breaches by account as [title, severity, opened on], the oldest first."""
    found: dict[str, list[list[object]]] = {}
    for row in mart.rows(
        "select account_id as id, coalesce(title, rule) as title, severity, opened_on from fct_breaches "
        "where is_open order by opened_on, breach_id"
    ):
        if row["id"] in shown:
            found.setdefault(row["id"], []).append([row["title"], row["severity"], _json_value(row["opened_on"])])
    return found


def _footer(mart: Mart) -> Row:
    """What the page rests on: the scorecards with their measures, and the mart's fingerprint."""
    scorecards = mart.rows(
        "select scorecard_hash, scorecard_id, version, title, lens, status, coverage_floor from dim_scorecards "
        "where is_current order by lens <> 'overall', status, scorecard_id, version"
    )
    for scorecard in scorecards:
        scorecard["measures"] = mart.rows(
            "select coalesce(title, measure) as title, measure_group, weight_percent, group_weight_percent, "
            "max_age_days from dim_scorecard_measures where scorecard_hash = $hash "
            "order by weight_percent desc, measure_group, measure",
            {"hash": scorecard["scorecard_hash"]},
        )
    return {
        "scorecards": scorecards,
        "fingerprint": mart.row("select content_fingerprint from _published")["content_fingerprint"],
    }


def _json_value(value: Any) -> Any:
    """A value JSON can hold: dates as ISO text, decimals as numbers, what is not a finite number as null."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def _band(summary: Summary, name: str) -> Any:
    return next(total for total in summary.bands if total.band == name)


def _money(amount: Decimal) -> str:
    return f"{amount:,.0f}"


def _short_money(amount: Decimal) -> str:
    """An amount in three figures or so: 8.4 M, 350 k, 900."""
    for size, unit in ((10**9, "bn"), (10**6, "M"), (10**3, "k")):
        if amount >= size:
            value = amount / size
            return f"{value:,.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"
    return f"{amount:,.0f}"


def _source_hash(text: str) -> str:
    """The hash by which a content security policy admits an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _replace(file: Path, content: bytes) -> None:
    """Writes beside the place and swaps in, so that a reader never gets half a page."""
    for leftover in file.parent.glob(f".{file.name}.*.part"):
        leftover.unlink(missing_ok=True)  # of a write that was killed
    descriptor, part = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        Path(part).chmod(0o640)
        os.replace(part, file)
    finally:
        Path(part).unlink(missing_ok=True)
