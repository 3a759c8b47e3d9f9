"""The measures of usage in plain Python: who uses the product, how often, how broadly, and against what habit."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import median

from tests.oracle.facts import Facts, Feeds, Observation, Row, day_of, newest, seen_from, within

MONTH, WEEK = 28, 7
Features = dict[str, list[str]]  # by plan


def known_events(facts: Facts, day: date) -> list[Row]:
    """What had happened and was known by the end of a day."""
    return [row for row in facts.usage_events if seen_from(row["occurred_at"], row["known"]) <= day]


def in_month(facts: Facts, day: date) -> list[Row]:
    """The events of the last 28 days."""
    return [row for row in facts.usage_events if within(row["occurred_at"], row["known"], day, MONTH)]


def events(rows: list[Row]) -> int:
    """How many events rows stand for."""
    return sum(1 if row["quantity"] is None else row["quantity"] for row in rows)


def people(rows: list[Row]) -> set[str]:
    """The distinct users."""
    return {row["user_id"] for row in rows if row["user_id"] is not None}


def active_users_to_seats(facts: Facts, account: Row, feeds: Feeds, day: date) -> Observation | None:
    seats = account["seats"]
    if account["has_unlimited_seats"]:
        seats = sum(row["known"] <= day for row in facts.users)
    if not seats or not people(known_events(facts, day)) or feeds.usage is None:
        return None
    active = len(people(in_month(facts, day)))
    return Observation(min(active / seats, 1), active, feeds.usage)


def week_of(facts: Facts, day: date, weeks_ago: int) -> list[Row]:
    """The events of a week of seven days that ended so many weeks before the day: as known on the day for the newest
    week, as known seven days after it ended for an older one.
    """
    last = day - timedelta(days=WEEK * weeks_ago)
    first = last - timedelta(days=WEEK - 1)
    known_by = day if weeks_ago == 0 else last + timedelta(days=WEEK)
    return [
        row for row in facts.usage_events if first <= day_of(row["occurred_at"]) <= last and row["known"] <= known_by
    ]


def usage_vs_baseline(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    known = known_events(facts, day)
    if not people(known) or feeds.usage is None:
        return None
    first_use = min(day_of(row["occurred_at"]) for row in known)
    own_weeks = [week for week in range(4, 12) if first_use <= day - timedelta(days=WEEK * week + WEEK - 1)]
    if len(own_weeks) < 4:
        return None
    # Events of the baseline: of its two months, each as known when it ended.
    baseline = sum(events(in_month(facts, day - timedelta(days=ago))) for ago in (28, 56))
    habit = median(len(people(week_of(facts, day, week))) for week in own_weeks)
    if baseline < 20 or habit == 0:
        return None
    now = sum(len(people(week_of(facts, day, week))) for week in range(3)) / 3
    return Observation(now / habit, baseline, feeds.usage)


def feature_breadth(facts: Facts, account: Row, feeds: Feeds, day: date, key_features: Features) -> Observation | None:
    features = key_features.get(account["plan"], key_features["default"])
    if not known_events(facts, day) or feeds.usage is None:
        return None
    month = in_month(facts, day)
    used = {row["event_name"] for row in month} & set(features)
    return Observation(len(used) / len(features), events(month), feeds.usage)


def days_since_last_activity(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    last = newest(row["occurred_at"] for row in known_events(facts, day))
    if last is None or feeds.usage is None:
        return None
    return Observation((day - last).days, 1, feeds.usage)


def stickiness(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    if not people(known_events(facts, day)) or feeds.usage is None:
        return None
    month = in_month(facts, day)
    active = len(people(month))
    user_days = len({(row["user_id"], day_of(row["occurred_at"])) for row in month if row["user_id"] is not None})
    return Observation(user_days / MONTH / active if active else 0, user_days, feeds.usage)


def events_per_active_user(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    if not people(known_events(facts, day)) or feeds.usage is None:
        return None
    month = in_month(facts, day)
    active = len(people(month))
    return Observation(events(month) / active if active else 0, events(month), feeds.usage)


def minutes_per_active_user(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    # Nobody's event of the last 28 days says how long it took.
    if feeds.usage_time is None or feeds.usage_time <= day - timedelta(days=MONTH):
        return None
    if not people(known_events(facts, day)):
        return None
    month = in_month(facts, day)
    active = len(people(month))
    seconds = sum(row["duration_seconds"] or 0 for row in month)
    if active and not seconds:
        return None
    return Observation(seconds / 60 / active if active else 0, events(month), feeds.usage_time)


def usage(facts: Facts, account: Row, feeds: Feeds, day: date, key_features: Features) -> dict[str, Observation | None]:
    """Every measure of the domain."""
    return {
        "active_users_to_seats": active_users_to_seats(facts, account, feeds, day),
        "usage_vs_baseline": usage_vs_baseline(facts, feeds, day),
        "feature_breadth": feature_breadth(facts, account, feeds, day, key_features),
        "days_since_last_activity": days_since_last_activity(facts, feeds, day),
        "stickiness": stickiness(facts, feeds, day),
        "events_per_active_user_28d": events_per_active_user(facts, feeds, day),
        "minutes_per_active_user_28d": minutes_per_active_user(facts, feeds, day),
    }
