"""Invoices: monthly, or by the quarter for large customers; paid late, or not at all, as hidden health falls."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np

from sample.company import Company
from sample.contracts import Term, split_mrr, subscription_shares
from sample.health import domain_view
from sample.parameters import Floats, Row

TERM_DAYS = {"enterprise": 45, "mid_market": 30, "smb": 14}
MONTHS_BILLED = {"enterprise": (3,), "mid_market": (1, 3), "smb": (1,)}
SLOW_PAYERS = 0.08  # share of accounts that pay some days late whatever their health
CREDIT_DAYS = 10  # after a downgrade within a billed period comes a credit note


def invoice_rows(company: Company, terms: list[list[Term]]) -> list[Row]:
    """Invoices issued in the span, as they stand at its end, by day of issue."""
    rng = company.parameters.stream("invoices")
    health = domain_view(rng, company.health)
    shares = subscription_shares(company)
    rows: list[Row] = []
    for account in range(company.parameters.accounts):
        slow = rng.random() < SLOW_PAYERS
        months = int(rng.choice(MONTHS_BILLED[company.segment[account]]))
        for issued in _issue_days(company, account, months):
            mrr = [term.mrr for term in terms[account] if term.starts <= issued][-1]
            for (subscription, _), part in zip(shares[account], split_mrr(mrr, len(shares[account])), strict=True):
                rows.append(_row(company, rng, health, account, subscription, issued, part * months, slow))
        rows += _credit_notes(company, account, terms[account], shares[account][0][0], months)
    rows.sort(key=lambda row: (str(row["issued"]), str(row["account_id"]), str(row["subscription_id"])))
    return [{"number": f"I{number:05d}", **row} for number, row in enumerate(rows, start=1)]


def _issue_days(company: Company, account: int, months: int) -> list[int]:
    """Days of issue: the day of the month on which the account joined, every so many months, while a customer."""
    parameters = company.parameters
    joined = parameters.date_of(int(company.fates.joined[account]))
    month = joined.year * 12 + joined.month - 1
    found: list[int] = []
    while True:
        day = parameters.day_of(date(month // 12, month % 12 + 1, joined.day))
        if day >= parameters.days or not company.is_customer(account, day):
            return found
        if day >= 0:
            found.append(day)
        month += months


def _row(
    company: Company, rng: np.random.Generator, health: Floats, account: int, subscription: str, issued: int,
    amount: int, slow: bool,
) -> Row:  # fmt: skip
    """One invoice; the later the account pays, the poorer its health on the day the invoice fell due."""
    parameters = company.parameters
    due = issued + TERM_DAYS[company.segment[account]]
    left = int(company.fates.left[account])
    level = float(health[account, min(due, parameters.days - 1, left - 1)])
    days_late = -float(rng.gamma(2, 3))
    if slow or rng.random() < 0.05 + 0.75 * max(0.0, 0.75 - level):
        days_late = float(rng.gamma(1.5, 4 + 36 * max(0.0, 0.7 - level)))
    never_pays = due > left - 40 and rng.random() < 0.25
    paid = max(issued, due + round(days_late))
    is_paid = paid < parameters.days and not never_pays
    return {
        "account_id": company.account_id[account],
        "subscription_id": subscription,
        "amount_usd": f"{amount}.00",
        "status": "paid" if is_paid else "open",
        "issued": parameters.date_of(issued),
        "due": parameters.date_of(due),
        "paid": parameters.date_of(paid) if is_paid else None,
    }


def _credit_notes(company: Company, account: int, terms: list[Term], subscription: str, months: int) -> list[Row]:
    """What a smaller contract gives back for the quarter already billed; settled on the day it is issued."""
    parameters = company.parameters
    notes: list[Row] = []
    for before, term in pairwise(terms):
        issued = term.starts + CREDIT_DAYS
        if term.kind == "downgrade" and months > 1 and issued < parameters.days:
            day = parameters.date_of(issued)
            notes.append(
                {
                    "account_id": company.account_id[account],
                    "subscription_id": subscription,
                    "amount_usd": f"{term.mrr - before.mrr}.00",
                    "status": "paid",
                    "issued": day,
                    "due": day,
                    "paid": day,
                }
            )
    return notes
