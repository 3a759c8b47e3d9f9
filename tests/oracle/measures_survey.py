"""The measures of surveys in plain Python: what people said, and how little it tells."""

from __future__ import annotations

import math
from datetime import date

from tests.oracle.facts import Facts, Observation, Row, newest, seen_from, within


def latest_answers(facts: Facts, day: date) -> list[Row]:
    """Of each respondent the latest NPS answer, if of 180 days. One who is not named is a respondent of his own."""
    latest: dict[str, Row] = {}
    for row in facts.survey_responses:
        if row["kind"] != "nps" or not 0 <= row["score"] <= 10 or seen_from(row["responded_at"], row["known"]) > day:
            continue
        person = "answer " + row["response_id"] if row["user_id"] is None else "user " + row["user_id"]
        key = (row["responded_at"], row["response_id"])
        if person not in latest or key > (latest[person]["responded_at"], latest[person]["response_id"]):
            latest[person] = row
    return [row for row in latest.values() if within(row["responded_at"], row["known"], day, 180)]


def promoter_scores(facts: Facts, day: date) -> dict[str, Observation | None]:
    """NPS; the centre of its 95 % interval by adjusted Wald; and half the width of that."""
    answers = latest_answers(facts, day)
    last = newest(row["responded_at"] for row in answers)
    if last is None:
        return {}
    n = len(answers)
    promoters = sum(row["score"] >= 9 for row in answers)
    detractors = sum(row["score"] <= 6 for row in answers)
    # As if three more had answered: 0.75 promoters, 0.75 detractors, 1.5 in between.
    for_it, against = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    centre = for_it - against
    variance = for_it * (1 - centre) ** 2 + against * (-1 - centre) ** 2 + (1 - for_it - against) * centre**2
    margin = 1.96 * math.sqrt(variance / (n + 3))
    return {
        "nps": Observation(100 * promoters / n - 100 * detractors / n, n, last),
        "nps_adjusted": Observation(100 * centre, n, last),
        "nps_margin": Observation(100 * margin, n, last),
    }


def mean_of_scale(answers: list[tuple[float, int, date]]) -> Observation | None:
    """Mean of (answer - 1) / (scale - 1) * 100 over (answer, scale, day); answers beside the scale do not count."""
    legal = [(answer, scale, on) for answer, scale, on in answers if 1 <= answer <= scale]
    if not legal:
        return None
    value = math.fsum((answer - 1) / (scale - 1) * 100 for answer, scale, _ in legal) / len(legal)
    return Observation(value, len(legal), max(on for *_, on in legal))


def rated_at(ticket: Row) -> date:
    """When a ticket's answer was rated; else when it was solved, else when it was opened."""
    return (ticket["csat_at"] or ticket["solved_at"] or ticket["created_at"]).date()  # type: ignore[no-any-return]


def survey(facts: Facts, day: date) -> dict[str, Observation | None]:
    """Every measure of the domain."""
    answers = {
        kind: [
            (row["score"], scale if row["scale"] is None else row["scale"], row["responded_at"].date())
            for row in facts.survey_responses
            if row["kind"] == kind and within(row["responded_at"], row["known"], day, 90)
        ]
        for kind, scale in (("csat", 5), ("ces", 7))
    }
    ratings = [
        (ticket["csat_rating"], 5 if ticket["csat_scale"] is None else ticket["csat_scale"], rated_at(ticket))
        for ticket in facts.tickets
        if ticket["csat_rating"] is not None and within(rated_at(ticket), ticket["known"], day, 90)
    ]
    return {
        **promoter_scores(facts, day),
        "csat": mean_of_scale(ratings + answers["csat"]),
        "ces": mean_of_scale(answers["ces"]),
    }
