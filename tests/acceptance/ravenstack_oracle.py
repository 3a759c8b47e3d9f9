"""What the pipeline should say about RavenStack, worked out from the raw files in plain Python.

Nothing here comes from the pipeline: no SQL, no windows that roll, no code of it. Each measure is counted anew for each
account and day from the definition in words. What the example's scorecard leaves to max_age_days is left out: every
feed brings something on nearly every day, so nothing gets stale.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

Row = dict[str, str]
FILES = {
    "accounts": "ravenstack_accounts.csv",
    "subscriptions": "ravenstack_subscriptions.csv",
    "usage_events": "ravenstack_feature_usage.csv",
    "tickets": "ravenstack_support_tickets.csv",
    "outcomes": "ravenstack_churn_events.csv",
}
FEATURES = {f"feature_{number}" for number in range(1, 41)}
SATISFACTION = {1: 0, 2: 25, 3: 50, 4: 75, 5: 100}  # stars to points


class RavenStack:
    """The files, and what follows from them."""

    def __init__(self, folder: Path) -> None:
        self.rows: dict[str, list[Row]] = {}
        for entity, name in FILES.items():
            with (folder / name).open(newline="", encoding="utf-8") as file:
                self.rows[entity] = list(csv.DictReader(file))
        self._subscriptions = {row["subscription_id"]: row for row in self.rows["subscriptions"]}
        self._by_account: dict[str, dict[str, list[Row]]] = {
            entity: _grouped(rows, "account_id") for entity, rows in self.rows.items() if entity != "usage_events"
        }
        self._by_account["usage_events"] = defaultdict(list)
        for row in self.usage_that_counts:
            self._by_account["usage_events"][self.account_of(row)].append(row)

    def account_of(self, usage: Row) -> str:
        """The account of a row of usage, which names its subscription only."""
        return self._subscriptions[usage["subscription_id"]]["account_id"]

    @cached_property
    def usage_that_counts(self) -> list[Row]:
        """All usage less the repeats: of rows with one id the earliest counts."""
        seen: dict[str, Row] = {}
        for row in sorted(self.rows["usage_events"], key=lambda row: row["usage_date"]):  # stable: then by line
            seen.setdefault(row["usage_id"], row)
        return list(seen.values())

    def existing(self, day: date) -> set[str]:
        """The accounts that were customers on a day: none of them ever ends in this data."""
        return {row["account_id"] for row in self.rows["accounts"] if _day(row["signup_date"]) <= day}

    # -- dirt

    def issues(self) -> dict[tuple[str, str, str], tuple[int, str]]:
        """(entity, issue, words that its title must hold) to (rows, the first of them as `file line n`)."""
        counted = {id(row) for row in self.usage_that_counts}
        churned = {row["account_id"] for row in self.rows["outcomes"]}
        flagged = {row["account_id"] for row in self.rows["accounts"] if row["churn_flag"] == "True"}
        found = {
            ("usage_events", "repeated_id", "event_id"): lambda row: id(row) not in counted,
            ("usage_events", "before_subscription", "occurred_at"): lambda row: (
                row["usage_date"] < self._subscriptions[row["subscription_id"]]["start_date"]
            ),
            ("accounts", "churn_contradicted", "is_churned is true"): lambda row: (
                row["account_id"] in flagged - churned
            ),
            ("accounts", "churn_contradicted", "is_churned is false"): lambda row: (
                row["account_id"] in churned - flagged
            ),
            ("subscriptions", "never_ran", "ended_on"): lambda row: (
                row["end_date"] != "" and row["end_date"] <= row["start_date"]
            ),
            ("tickets", "no_rating", "csat_rating"): lambda row: row["satisfaction_score"] == "",
        }
        issues = {}
        for (entity, issue, words), has_it in found.items():
            lines = [line for line, row in enumerate(self.rows[entity], start=2) if has_it(row)]
            issues[entity, issue, words] = (len(lines), f"{FILES[entity]} line {lines[0]}")
        return issues

    # -- usage as a whole

    def usage_by_day(self) -> Counter[tuple[str, date]]:
        """Events by account and day."""
        total: Counter[tuple[str, date]] = Counter()
        for row in self.usage_that_counts:
            total[self.account_of(row), _day(row["usage_date"])] += int(row["usage_count"])
        return total

    # -- measures

    def measures(self, day: date) -> dict[str, dict[str, float | None]]:
        """Account to measure to value, None where it cannot be known, for every account of the day."""
        return {
            row["account_id"]: self._measures(row, day)
            for row in self.rows["accounts"]
            if _day(row["signup_date"]) <= day
        }

    def _measures(self, account: Row, day: date) -> dict[str, float | None]:
        facts = {entity: rows.get(account["account_id"], []) for entity, rows in self._by_account.items()}
        used = [row for row in facts["usage_events"] if _day(row["usage_date"]) <= day]
        features = {row["feature_name"] for row in used if _within(_day(row["usage_date"]), day, 28)}
        opened = [row for row in facts["tickets"] if _within(_day(row["submitted_at"]), day, 90)]
        rated = [
            SATISFACTION[int(float(row["satisfaction_score"]))]
            for row in facts["tickets"]
            if row["satisfaction_score"] and _within(_day(row["closed_at"]), day, 90)
        ]
        now, before = self.mrr(account["account_id"], day), self.mrr(account["account_id"], day - timedelta(90))
        return {
            "feature_breadth": len(features & FEATURES) / len(FEATURES) if used else None,
            "days_since_last_activity": min((day - _day(row["usage_date"])).days for row in used) if used else None,
            "tickets_per_100_seats_90d": 100 * len(opened) / int(account["seats"]) if int(account["seats"]) else None,
            "open_urgent_tickets": float(self._open_urgent(facts["tickets"], day)),
            "csat": sum(rated) / len(rated) if rated else None,
            "mrr_change": (now - before) / before if now is not None and before else None,
            "active_users_to_seats": None,  # no users in the data
            "usage_vs_baseline": None,
            "nps": None,  # no surveys
            "days_past_due": None,  # no invoices
        }

    def mrr(self, account_id: str, day: date) -> int | None:
        """Monthly recurring revenue of what runs on the day, trials left out; None before the first subscription."""
        started = [
            row for row in self._by_account["subscriptions"].get(account_id, []) if _day(row["start_date"]) <= day
        ]
        if not started:
            return None
        running = [row for row in started if row["end_date"] == "" or day < _day(row["end_date"])]
        return sum(int(row["mrr_amount"]) for row in running if row["is_trial"] == "False")

    def busiest_day(self, first: date, last: date) -> date:
        """The day with the most urgent tickets open at its end."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return max(days, key=lambda day: self._open_urgent(self.rows["tickets"], day))

    @staticmethod
    def _open_urgent(tickets: Iterable[Row], day: date) -> int:
        return sum(
            row["priority"] == "urgent" and _day(row["submitted_at"]) <= day < _day(row["closed_at"] or "9999-12-31")
            for row in tickets
        )


def score(scorecard: dict[str, Any], values: dict[str, float | None]) -> tuple[float | None, float, str]:
    """(score, coverage, band) by a scorecard as its YAML says it; the score is None below the coverage floor."""
    expected = present = covered = total = 0.0
    for group in scorecard["groups"].values():
        known = {name: rule for name, rule in group["measures"].items() if values[name] is not None}
        weight_known = sum(rule["weight"] for rule in known.values())
        expected += group["weight"]
        covered += group["weight"] * weight_known / sum(rule["weight"] for rule in group["measures"].values())
        if known:
            points = sum(rule["weight"] * _points(rule, values[name] or 0) for name, rule in known.items())
            present += group["weight"]
            total += group["weight"] * points / weight_known
    coverage = covered / expected
    if not present or coverage < scorecard["coverage_floor"]:
        return None, coverage, "insufficient_data"
    result = total / present
    return result, coverage, max((start, band) for band, start in scorecard["bands"].items() if start <= result)[1]


def _points(rule: dict[str, Any], value: float) -> float:
    """A value's score, 0 to 100, by its curve, steps or half-life."""
    if "half_life" in rule:
        return float(100 * 0.5 ** (max(value, 0) / rule["half_life"]))
    if "steps" in rule:
        return float(next(step["score"] for step in rule["steps"] if value <= step.get("up_to", value)))
    curve = sorted((float(x), float(y)) for x, y in rule["curve"].items())
    if value <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if value <= x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return curve[-1][1]


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def _within(fact: date, day: date, length: int) -> bool:
    """Whether a fact lies in the `length` days that end with `day`."""
    return day - timedelta(days=length) < fact <= day
