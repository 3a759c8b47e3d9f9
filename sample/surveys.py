"""Survey responses: quarterly NPS campaigns that many accounts never answer, some CSAT and CES in between."""

from __future__ import annotations

import numpy as np

from sample.company import Company
from sample.health import domain_view
from sample.parameters import Floats, Ints, Row
from sample.usage import Users, user_id

NEVER_ANSWERS = 0.42  # share of accounts
CAMPAIGN_EVERY, FIRST_CAMPAIGN = 91, 40  # days
INVITED = {"enterprise": 10, "mid_market": 5, "smb": 3}
OTHERS_A_YEAR = {"csat": 0.7, "ces": 0.3}  # responses an account and year
SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


def survey_rows(company: Company, users: Users) -> list[Row]:
    """Responses in the order in which they were given; days first in the dates, as the survey tool writes them."""
    rng = company.parameters.stream("surveys")
    health = domain_view(rng, company.health)
    mood = rng.normal(0, 0.09, size=len(users.account))
    found: list[tuple[int, int, str, int]] = []
    for account in range(company.parameters.accounts):
        if rng.random() >= NEVER_ANSWERS:
            found += _answers_of(company, rng, account, np.nonzero(users.account == account)[0], health, mood)
    return [
        {
            "response_id": f"R{number:05d}",
            "account_id": company.account_id[int(users.account[user])],
            "respondent": user_id(user),
            "survey": kind,
            "answer": answer,
            "answered": f"{company.parameters.moment(0, second):%d/%m/%Y %H:%M}",
        }
        for number, (second, user, kind, answer) in enumerate(sorted(found), start=1)
    ]


def _answers_of(
    company: Company, rng: np.random.Generator, account: int, own: Ints, health: Floats, mood: Floats
) -> list[tuple[int, int, str, int]]:
    """One account's answers: second, user, kind of survey, answer. The unhappy answer less."""
    parameters = company.parameters
    invitations = [
        (day + int(rng.integers(0, 13)), int(user), "nps")
        for day in range(FIRST_CAMPAIGN, parameters.days, CAMPAIGN_EVERY)
        for user in own[: INVITED[company.segment[account]]]
    ]
    for kind, a_year in OTHERS_A_YEAR.items():
        # three invitations for each answer that is wanted
        for _ in range(int(rng.poisson(3 * a_year * parameters.days / 365))):
            invitations.append((int(rng.integers(0, parameters.days)), int(rng.choice(own)), kind))
    answers = []
    for day, user, kind in invitations:
        if day >= parameters.days or not company.is_customer(account, day):
            continue
        level = health[account, day]
        if rng.random() < 0.2 + 0.25 * level:
            low, high = SCALES[kind]
            wish = 0.24 + 0.85 * level + mood[user] + rng.normal(0, 0.12)
            second = day * 86_400 + 60 * int(rng.integers(8 * 60, 19 * 60))
            answers.append((second, user, kind, int(np.clip(round(low + wish * (high - low)), low, high))))
    return answers
