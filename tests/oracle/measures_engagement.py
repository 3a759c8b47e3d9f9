"""The measures of engagement and judgement in plain Python: posts, reviews, mentions, meetings; the CSM's pulse."""

from __future__ import annotations

import math
from datetime import date

from tests.oracle.facts import Facts, Feeds, Observation, Row, newest, seen_from, within


def of_kind(facts: Facts, day: date, length: int, *kinds: str) -> list[Row]:
    """The events of some kinds in so many days."""
    return [
        row
        for row in facts.engagement_events
        if row["kind"] in kinds and within(row["occurred_at"], row["known"], day, length)
    ]


def mean_of(rows: list[Row], column: str) -> Observation | None:
    """The mean of a column over the rows that have it."""
    told = [row for row in rows if row[column] is not None]
    last = newest(row["occurred_at"] for row in told)
    if last is None:
        return None
    return Observation(math.fsum(row[column] for row in told) / len(told), len(told), last)


def engagement(facts: Facts, feeds: Feeds, day: date) -> dict[str, Observation | None]:
    """Every measure of the domain."""
    found = {
        "review_rating": mean_of(of_kind(facts, day, 365, "review"), "rating"),
        "social_sentiment": mean_of(of_kind(facts, day, 90, "social_mention"), "sentiment"),
    }
    if feeds.engagement is None:
        return found
    posts = len(of_kind(facts, day, 90, "community_post", "community_answer"))
    trainings = len(of_kind(facts, day, 180, "training"))
    found["community_activity_90d"] = Observation(posts, posts, feeds.engagement)
    found["trainings_180d"] = Observation(trainings, trainings, feeds.engagement)
    known = [row for row in facts.engagement_events if seen_from(row["occurred_at"], row["known"]) <= day]
    contacts = ("touchpoint", "meeting", "training", "community_post", "community_answer")
    for name, kinds in (("days_since_last_meeting", ("meeting",)), ("days_since_last_contact", contacts)):
        last = newest(row["occurred_at"] for row in known if row["kind"] in kinds)
        if last is not None:
            found[name] = Observation((day - last).days, 1, feeds.engagement)
    return found


def judgement(facts: Facts, day: date) -> dict[str, Observation | None]:
    """The newest pulse given and known by the day, unless it has expired: an older one does not come back."""
    given = [row for row in facts.pulses if seen_from(row["given_on"], row["known"]) <= day]
    if not given:
        return {}
    pulse = max(given, key=lambda row: row["given_on"])
    if pulse["expires_on"] is not None and pulse["expires_on"] <= day:
        return {}
    return {"csm_pulse": Observation(pulse["pulse"], 1, pulse["given_on"])}
