"""The truth about the sample company: what no source would tell, written beside the landing for tests."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sample.company import Company
from sample.dirt import UNKNOWN_USER, UNKNOWN_USER_EVENTS
from sample.files import PlacedPlant
from sample.parameters import NEVER, Row
from sample.usage import LATE_HOURS, UsageFile


def truth_account_rows(company: Company) -> list[Row]:
    """One row an account; a day is empty where the thing does not happen, and may come after the last day."""
    fates = company.fates
    return [
        {
            "account_id": company.account_id[account],
            "archetype": archetype,
            "decline_starts_on": _date_or_none(company, int(fates.declines[account])),
            "left_on": _date_or_none(company, int(fates.left[account])),
        }
        for account, archetype in enumerate(fates.archetype)
    ]


def truth_month_rows(company: Company) -> list[Row]:
    """Mean hidden health (0..1) by account and month, over the days on which the account was a customer."""
    parameters = company.parameters
    months = [f"{parameters.date_of(day):%Y-%m}" for day in range(parameters.days)]
    starts = [day for day in range(parameters.days) if day == 0 or months[day] != months[day - 1]]
    is_customer = ~np.isnan(company.health)
    totals = np.add.reduceat(np.nan_to_num(company.health), starts, axis=1)
    counts = np.add.reduceat(is_customer.astype(np.int64), starts, axis=1)
    return [
        {
            "account_id": company.account_id[account],
            "month": months[start],
            "health": f"{totals[account, place] / counts[account, place]:.3f}",
        }
        for account in range(parameters.accounts)
        for place, start in enumerate(starts)
        if counts[account, place]
    ]


def truth_dirt(files: list[UsageFile], stray: str, planted: list[tuple[str, PlacedPlant]]) -> dict[str, object]:
    """Counts of what is not clean in the landing, and each planted row with its file and line.

    `stray` is the file that holds the events of an unknown user.
    """
    rows = [
        {
            "kind": plant.kind,
            "entity": plant.entity,
            "file": file,
            "line": line,
            "column": plant.column,
            "entity_column": plant.entity_column,
            "value": value,
            "is_rejected": plant.is_rejected,
        }
        for file, (line, plant, value) in planted
    ]
    kinds = Counter(plant.kind for _, (_, plant, _) in planted)
    return {
        "usage_events": {
            "rows": sum(file.table.num_rows for file in files),
            "duplicates_in_a_file": sum(file.duplicates for file in files),
            "repeats_across_files": sum(file.repeats for file in files),
            "late_rows": sum(file.late for file in files),
            "late_from_hours": 1,
            "latest_hours": LATE_HOURS[1] + 1,
            "unknown_users": {"user_id": UNKNOWN_USER, "file": stray, "rows": UNKNOWN_USER_EVENTS},
        },
        "planted_by_kind": {**dict(sorted(kinds.items())), "unknown_user_id": UNKNOWN_USER_EVENTS},
        "planted": rows,
    }


def _date_or_none(company: Company, day: int) -> object:
    """The date of a day, or None if it does not come."""
    return None if day == NEVER else company.parameters.date_of(day)
