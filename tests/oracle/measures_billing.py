"""The measures of billing in plain Python: what is paid, what is late, and how the recurring revenue moves."""

from __future__ import annotations

import math
from datetime import date, timedelta

from tests.oracle.facts import Facts, Feeds, Observation, Row, newest_version

NO_CLAIM = ("void", "draft", "cancelled")


def running(facts: Facts, day: date) -> list[Row] | None:
    """The paid subscriptions that ran on a day, as known by its end; None before the first one began, trials too."""
    of_one: dict[str, list[Row]] = {}
    for row in facts.subscriptions:
        of_one.setdefault(row["subscription_id"], []).append(row)
    newest = [newest_version(rows, day) for rows in of_one.values()]
    begun = [row for row in newest if row is not None and row["started_on"] <= day]
    # Once begun, it stays known that there is one: whatever a later version says.
    if not any(has_begun(rows, day) for rows in of_one.values()):
        return None
    return [row for row in begun if (row["ended_on"] is None or day < row["ended_on"]) and not row["is_trial"]]


def has_begun(rows: list[Row], day: date) -> bool:
    """Whether on this day, or one before, the version known then had begun."""
    days = {max(row["started_on"], row["known"]) for row in rows}
    found = [(one, newest_version(rows, one)) for one in days if one <= day]
    return any(version is not None and version["started_on"] <= one for one, version in found)


def mrr_of(facts: Facts, day: date) -> float | None:
    """Monthly recurring revenue on a day as known by its end; None before the first subscription.

    Not a number while a subscription runs whose MRR nobody has told.
    """
    subscriptions = running(facts, day)
    if subscriptions is None:
        return None
    return math.fsum(math.nan if row["mrr"] is None else float(row["mrr"]) for row in subscriptions)


def told_of(facts: Facts, day: date) -> float:
    """The part of the MRR that is known; 0 before the first subscription."""
    return math.fsum(float(row["mrr"] or 0) for row in running(facts, day) or [])


def month_ends(day: date, count: int) -> list[date]:
    """The last days of the last months that were over at the end of a day, newest first."""
    found = []
    next_day = day + timedelta(days=1)
    while len(found) < count:
        end = next_day.replace(day=1) - timedelta(days=1)
        found.append(end)
        next_day = end
    return found


def growth(facts: Facts, day: date, first_day: date) -> Observation | None:
    mrr = mrr_of(facts, day)
    if mrr is None:
        return None
    # Not a number is not 0: something runs.
    paying = [end for end in month_ends(day, 60) if end >= first_day and (mrr_of(facts, end) or 0) != 0]
    if not paying:
        return None
    months = [mrr_of(facts, end) or 0 for end in month_ends(day, 12) if end >= min(paying)]
    mean = math.fsum(months) / len(months)
    if math.isnan(mrr) or math.isnan(mean) or mean == 0:
        return None
    return Observation(min(50 * mrr / mean, 100), len(months), day)


def revenue(facts: Facts, day: date) -> dict[str, Observation | None]:
    """How the MRR of the day stands to that of 90 days, of 365 days, and of 12 months ago."""
    mrr = mrr_of(facts, day)
    if mrr is None:
        return {}
    found: dict[str, Observation | None] = {
        "growth": growth(facts, day, min(row["known"] for row in facts.subscriptions))
    }
    if math.isnan(mrr):
        return {}
    before = mrr_of(facts, day - timedelta(days=90))
    if before and not math.isnan(before):
        found["mrr_change"] = Observation((mrr - before) / before, len(running(facts, day) or []), day)
    year_ago = day - timedelta(days=365)
    before, count = mrr_of(facts, year_ago), len(running(facts, year_ago) or [])
    if before and not math.isnan(before):
        found["gross_revenue_retention_12m"] = Observation(min(mrr, before) / before, count, day)
        found["net_revenue_retention_12m"] = Observation(mrr / before, count, day)
    return found


def churned(accounts: list[Facts], day: date) -> tuple[int, int]:
    """The accounts that paid 365 days before, and how many of these no longer do."""
    paid = [facts for facts in accounts if told_of(facts, day - timedelta(days=365)) > 0]
    # Where nothing is told of what runs, nobody can say whether the account still pays.
    paying = [facts for facts in paid if told_of(facts, day) > 0 or not math.isnan(mrr_of(facts, day) or 0)]
    return len(paying), sum(told_of(facts, day) == 0 for facts in paying)


def expected_value(facts: Facts, feeds: Feeds, day: date, gross_margin: float) -> Observation | None:
    """MRR * margin / the rate at which accounts leave in a month."""
    mrr = mrr_of(facts, day)
    if mrr is None or math.isnan(mrr) or not feeds.lost:
        return None
    monthly_churn = feeds.lost / feeds.paying_12m_ago / 12
    return Observation(mrr * gross_margin / monthly_churn, feeds.paying_12m_ago, day)


def paid_on(invoice: Row) -> date | None:
    """The day of payment; one that only says it is paid was paid when it was due."""
    if invoice["paid_on"] is None and invoice["status"] == "paid":
        return invoice["due_on"]  # type: ignore[no-any-return]
    return invoice["paid_on"]  # type: ignore[no-any-return]


def is_paid(invoice: Row, day: date) -> bool:
    """Paid by the end of the day."""
    on = paid_on(invoice)
    return on is not None and on <= day


def billing(facts: Facts, feeds: Feeds, day: date, gross_margin: float) -> dict[str, Observation | None]:
    """Every measure of the domain."""
    found = revenue(facts, day) | {"expected_lifetime_value": expected_value(facts, feeds, day, gross_margin)}
    known = [row for row in facts.invoices if row["known"] <= day]
    if not known or feeds.billing is None:
        return found
    claims = [row for row in known if row["status"] not in NO_CLAIM]
    late = [
        row["due_on"]
        for row in claims
        if row["due_on"] < day and not is_paid(row, day) and (row["amount"] is None or row["amount"] > 0)
    ]
    days = (day - min(late)).days if late else 0
    found["days_past_due"] = Observation(days, len(late), feeds.billing)
    paid = [row["amount"] for row in claims if is_paid(row, day)]
    if None not in paid:
        found["lifetime_value"] = Observation(math.fsum(paid), len(paid), feeds.billing)
    return found
