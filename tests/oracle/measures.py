"""Every measure in plain Python, from raw facts: what the SQL is compared with. One account and one day at a time.

Written from the definitions (docs/reference/measures.md and decisions 0004 and 0007), not from the SQL; kept simple on
purpose. A measure that is not known is left out.
"""

from __future__ import annotations

from datetime import date

from tests.oracle.facts import Facts, Feeds, Observation, Row, newest_version
from tests.oracle.measures_billing import billing
from tests.oracle.measures_engagement import engagement, judgement
from tests.oracle.measures_support import support
from tests.oracle.measures_survey import survey
from tests.oracle.measures_usage import Features, usage


def customer(facts: Facts, day: date) -> Row | None:
    """What is known of an account by the end of a day; None while it is no customer."""
    account = newest_version(facts.versions, day)
    if account is None or day < account["created_on"]:
        return None
    return None if account["ended_on"] is not None and account["ended_on"] <= day else account


def measured(
    facts: Facts, feeds: Feeds, day: date, key_features: Features, gross_margin: float
) -> dict[str, Observation] | None:
    """The known measures of an account on a day, by name; None where it is no customer."""
    account = customer(facts, day)
    if account is None:
        return None
    found = {
        **usage(facts, account, feeds, day, key_features),
        **support(facts, account, feeds, day),
        **survey(facts, day),
        **billing(facts, feeds, day, gross_margin),
        **engagement(facts, feeds, day),
        **judgement(facts, day),
    }
    return {name: one for name, one in found.items() if one is not None}
