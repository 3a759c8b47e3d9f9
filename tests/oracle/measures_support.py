"""The measures of support in plain Python: how many tickets, how bad, how quickly answered and solved."""

from __future__ import annotations

from datetime import date, timedelta

from tests.oracle.facts import Facts, Feeds, Observation, Row, day_of, newest, seen_from, within

QUARTER = 90
SEVERITY = {"urgent": 4, "high": 2, "normal": 1, "low": 0.5, None: 1}


def opened(ticket: Row) -> date:
    """The day from whose end on a ticket is one: it was opened, and is known. No step of it is known before."""
    return seen_from(ticket["created_at"], ticket["known"])


def is_open_again(ticket: Row, day: date) -> bool:
    """Reopened after its solution, by the end of the day."""
    solved, reopened = ticket["solved_at"], ticket["reopened_at"]
    return solved is not None and reopened is not None and reopened > solved and day_of(reopened) <= day


def is_open(ticket: Row, day: date) -> bool:
    """Open at the end of the day."""
    if opened(ticket) > day:
        return False
    is_solved = ticket["solved_at"] is not None and day_of(ticket["solved_at"]) <= day
    return not is_solved or is_open_again(ticket, day)


def hours_to_answer(ticket: Row) -> float | None:
    """On the clock; None without an answer, or one that comes before the ticket."""
    if ticket["first_replied_at"] is not None:
        hours = (ticket["first_replied_at"] - ticket["created_at"]).total_seconds() / 3600
        return hours if hours >= 0 else None
    minutes = ticket["first_response_minutes"]
    return None if minutes is None else round(minutes * 60) / 3600


def answered_on(ticket: Row) -> date:
    """The day of the first answer."""
    if ticket["first_replied_at"] is not None:
        return day_of(ticket["first_replied_at"])
    return day_of(ticket["created_at"] + timedelta(seconds=round(ticket["first_response_minutes"] * 60)))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def first_response_hours(facts: Facts, day: date) -> Observation | None:
    answered = [
        ticket
        for ticket in facts.tickets
        if hours_to_answer(ticket) is not None and within(answered_on(ticket), opened(ticket), day, QUARTER)
    ]
    last = newest(answered_on(ticket) for ticket in answered)
    if last is None:
        return None
    return Observation(mean([hours_to_answer(ticket) or 0 for ticket in answered]), len(answered), last)


def solved(facts: Facts, day: date) -> list[Row]:
    """The tickets solved in 90 days, some of them perhaps open again."""
    return [
        ticket
        for ticket in facts.tickets
        if ticket["solved_at"] is not None and within(ticket["solved_at"], opened(ticket), day, QUARTER)
    ]


def resolution_hours(facts: Facts, day: date) -> Observation | None:
    """As old as the newest solution, also of one that did not last."""
    hours = [
        (ticket["solved_at"] - ticket["created_at"]).total_seconds() / 3600
        for ticket in solved(facts, day)
        if ticket["solved_at"] >= ticket["created_at"] and not is_open_again(ticket, day)
    ]
    last = newest(ticket["solved_at"] for ticket in solved(facts, day))
    return Observation(mean(hours), len(hours), last) if hours and last is not None else None


def reopen_rate(facts: Facts, day: date) -> Observation | None:
    tickets = solved(facts, day)
    last = newest(ticket["solved_at"] for ticket in tickets)
    if last is None:
        return None
    reopened = [one for one in tickets if one["reopened_at"] is not None and day_of(one["reopened_at"]) <= day]
    return Observation(len(reopened) / len(tickets), len(tickets), last)


def support_hours(facts: Facts, feeds: Feeds, day: date) -> Observation | None:
    tickets = solved(facts, day)
    minutes = [ticket["handling_minutes"] for ticket in tickets if ticket["handling_minutes"] is not None]
    if feeds.support_time is None or (tickets and not minutes):
        return None
    return Observation(sum(minutes) / 60, len(minutes), feeds.support_time)


def support(facts: Facts, account: Row, feeds: Feeds, day: date) -> dict[str, Observation | None]:
    """Every measure of the domain."""
    found = {
        "first_response_hours_90d": first_response_hours(facts, day),
        "resolution_hours_90d": resolution_hours(facts, day),
        "reopen_rate_90d": reopen_rate(facts, day),
        "support_hours_90d": support_hours(facts, feeds, day),
    }
    if feeds.support is None:
        return found
    tickets = [ticket for ticket in facts.tickets if within(ticket["created_at"], ticket["known"], day, QUARTER)]
    open_now = [ticket for ticket in facts.tickets if is_open(ticket, day)]
    urgent = [ticket for ticket in open_now if ticket["severity"] == "urgent"]
    load = sum(SEVERITY[ticket["severity"]] for ticket in open_now)
    if account["seats"]:
        rate = 100 * len(tickets) / account["seats"]
        found["tickets_per_100_seats_90d"] = Observation(rate, len(tickets), feeds.support)
    found["open_urgent_tickets"] = Observation(len(urgent), len(urgent), feeds.support)
    found["open_ticket_load"] = Observation(load, len(open_now), feeds.support)
    return found
