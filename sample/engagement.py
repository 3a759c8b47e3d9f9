"""Engagement: meetings and touchpoints by the customer's importance, trainings, community, reviews, mentions."""

from __future__ import annotations

import numpy as np

from sample.company import Company
from sample.health import domain_view
from sample.parameters import Floats, Row

# Events a year of a healthy account, by kind and segment (enterprise, mid_market, smb)
A_YEAR = {
    "meeting": (11.0, 4.0, 0.6),
    "touchpoint": (18.0, 9.0, 4.0),
    "training": (2.0, 1.0, 0.4),
    "community_post": (4.0, 2.0, 0.8),
    "community_answer": (2.0, 1.0, 0.4),
    "review": (0.5, 0.35, 0.2),
    "social_mention": (0.9, 0.5, 0.2),
}
SEGMENT_ORDER = ("enterprise", "mid_market", "smb")
CSM_DOES = ("touchpoint",)  # the manager calls whatever the customer's health; the rest fades with it


def engagement_rows(company: Company) -> list[Row]:
    """Engagement events in the order in which they happened."""
    rng = company.parameters.stream("engagement")
    health = domain_view(rng, company.health)
    found: list[tuple[int, int, str, float]] = []
    for kind in A_YEAR:
        found += _draw_kind(company, rng, health, kind)
    return [
        {
            "id": f"G{number:05d}",
            "account_id": company.account_id[account],
            "kind": kind,
            "at": company.parameters.moment(0, second),
            "stars": int(np.clip(round(1.2 + 4.4 * level), 1, 5)) if kind == "review" else None,
            "tone": round(float(np.clip(2.2 * level - 1, -1, 1)), 2) if kind == "social_mention" else None,
        }
        for number, (second, account, kind, level) in enumerate(sorted(found), start=1)
    ]


def _draw_kind(
    company: Company, rng: np.random.Generator, health: Floats, kind: str
) -> list[tuple[int, int, str, float]]:
    """Events of one kind: second, account, kind, and the health (a little blurred) that it speaks of."""
    a_year = np.array([A_YEAR[kind][SEGMENT_ORDER.index(one)] for one in company.segment])
    fading = np.ones_like(health) if kind in CSM_DOES else np.clip(health / 0.75, 0, 1.2) ** 1.3
    if kind in ("review", "social_mention"):  # the delighted and the angry speak up
        fading = 0.4 + 4 * (health - 0.6) ** 2
    weekday = np.array([company.parameters.date_of(day).weekday() for day in range(company.parameters.days)])
    expected = a_year[:, None] / 365 * fading * np.where(weekday < 5, 1.35, 0.12)
    expected[np.isnan(company.health)] = 0
    account, day = np.nonzero(rng.random(expected.shape) < expected)
    second = day * 86_400 + rng.integers(8 * 3600, 18 * 3600, size=len(day))
    level = health[account, day] + rng.normal(0, 0.1, size=len(day))
    return [(int(second[one]), int(account[one]), kind, float(level[one])) for one in range(len(day))]
