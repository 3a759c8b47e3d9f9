"""What customer success managers think: dated pulses, and a few overrides with their reasons."""

from __future__ import annotations

import numpy as np

from sample.company import Company
from sample.health import domain_view
from sample.parameters import Row

PULSE_EVERY = {"enterprise": 30, "mid_market": 61, "smb": 0}  # days; 0: nobody asks
PULSE_HOLDS = 90  # days
SEES_BACK = 21  # days by which a manager's impression trails the account

# Archetype to pick from, kind, score, days from the end on which it starts and ends, reason
OVERRIDES = (
    ("steady", "cap", 60, 80, -30, "Security review is open; no green until it closes"),
    ("recovering", "floor", 50, 60, -45, "Recovery plan signed by both sides; usage dip is agreed"),
    ("never_used", "value", 30, 45, -60, "Roll-out postponed by the customer; nothing to measure yet"),
    ("growing", "cap", 74, 200, 110, "Sponsor changed; wait for the first review with the successor"),
)


def pulse_rows(company: Company) -> list[Row]:
    """A manager's opinion, 1 to 5, of the accounts they meet regularly; it trails the account by three weeks."""
    rng = company.parameters.stream("pulses")
    health = domain_view(rng, company.health)
    found: dict[tuple[int, int], int] = {}  # one pulse an account and day
    for account, segment in enumerate(company.segment):
        every = PULSE_EVERY[segment]
        for due in range(int(rng.integers(0, every)), company.parameters.days, every) if every else ():
            day = min(due + int(rng.integers(0, 6)), company.parameters.days - 1)
            seen = day - SEES_BACK
            if seen >= 0 and company.is_customer(account, seen) and company.is_customer(account, day):
                impression = health[account, seen] + rng.normal(0, 0.1)
                found[day, account] = int(np.clip(round(0.6 + 5 * impression), 1, 5))
    return [
        {
            "account_id": company.account_id[account],
            "pulse": pulse,
            "csm": company.manager_on(account, day),
            "day": company.parameters.date_of(day),
            "expires": company.parameters.date_of(day + PULSE_HOLDS),
        }
        for (day, account), pulse in sorted(found.items())
    ]


def override_rows(company: Company) -> list[Row]:
    """Overrides on accounts that were customers throughout; a kind of account that is not there gets none."""
    parameters = company.parameters
    taken: list[int] = []
    for archetype, *_ in OVERRIDES:
        fit = [
            account
            for account, one in enumerate(company.fates.archetype)
            if one == archetype and company.is_customer(account, 0) and company.is_customer(account, parameters.days)
        ]
        taken.append(fit[0] if fit else -1)
    rows: list[Row] = []
    for account, (_, kind, score, starts, ends, reason) in zip(taken, OVERRIDES, strict=True):
        if account >= 0 and starts < parameters.days:
            number = len(rows) + 1
            day = parameters.days - starts
            rows.append(
                {
                    "id": f"V{number:02d}",
                    "account_id": company.account_id[account],
                    "kind": kind,
                    "score": score,
                    "reason": reason,
                    "author": company.manager_on(account, day),
                    "link": f"https://crm.example/notes/{number}",
                    "starts": parameters.date_of(day),
                    "expires": parameters.date_of(parameters.days - ends),
                }
            )
    return rows
