"""The entities a source can supply, and the contract each row must keep.

An entity is one kind of fact about a customer (an account, a ticket, an invoice). A connector turns a
provider's rows into these columns; a row that breaks the contract goes to quarantine with its reason.
Everything that has to know the legal names (settings, connectors, reference pages) reads them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "integer", "decimal", "boolean", "date", "timestamp"]

SQL_TYPES: dict[ColumnType, str] = {
    "text": "varchar",
    "integer": "bigint",
    "decimal": "decimal(18, 4)",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


@dataclass(frozen=True)
class Column:
    """One column of an entity.

    `minimum` and `maximum` are inclusive; `allowed` lists the legal texts; `after` names a column of the same type that
    lies before it. `personal` marks a value that must not be copied into messages or quarantine.
    """

    type: ColumnType
    meaning: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    after: str | None = None
    personal: bool = False


@dataclass(frozen=True)
class Entity:
    """The contract of one entity.

    `key` is what makes a row the same row again. `happened` is the column that says when the fact happened;
    it stands in for `known_at` where the mapping gives none. `settles` are columns filled in later in the
    row's life (a ticket's solution, an invoice's payment), each known from its own time on. `may_reach_account`
    tells that the account can be found through a subscription or a user instead of being named in the row.
    """

    name: str
    domain: str
    grain: str
    key: tuple[str, ...]
    happened: str
    columns: dict[str, Column]
    settles: tuple[str, ...] = ()
    may_reach_account: bool = False


def _reachable(columns: dict[str, Column]) -> dict[str, Column]:
    """Columns of an entity whose account can also be reached through a subscription or a user."""
    return {
        "account_id": Column(
            "text", "the customer; may be left out when the account is reached `through` another entity"
        ),
        "subscription_id": Column("text", "the subscription the fact belongs to"),
        "user_id": Column("text", "the person at the customer, as the product knows them"),
        **columns,
    }


_KNOWN = {"known_at": Column("timestamp", "when we could first have known the fact; the time it happened if left out")}
_ACCOUNT = {"account_id": Column("text", "the customer", required=True)}

_ALL = (
    Entity(
        name="accounts",
        domain="accounts",
        grain="account and version (a later `known_at` is a newer version)",
        key=("account_id", "known_at"),
        happened="created_on",
        columns={
            **_ACCOUNT,
            "name": Column("text", "what people call the customer"),
            "segment": Column("text", "size or market class, such as enterprise"),
            "plan": Column("text", "what they bought"),
            "lifecycle_stage": Column("text", "onboarding, adopted, renewing ..."),
            "industry": Column("text", "line of business"),
            "region": Column("text", "country or sales region"),
            "owner": Column("text", "the customer success manager"),
            "parent_account_id": Column("text", "the account this one belongs to"),
            "arr": Column("decimal", "annual recurring revenue, in the company's currency", minimum=0),
            "seats": Column("integer", "seats bought", minimum=0),
            "has_unlimited_seats": Column("boolean", "seats are not counted"),
            "priority": Column("integer", "1 is the closest care", minimum=1),
            "created_on": Column("date", "first day as a customer", required=True),
            "renewal_on": Column("date", "next renewal"),
            "notice_days": Column("integer", "days of notice before the renewal", minimum=0),
            "ended_on": Column("date", "first day on which they were no longer a customer"),
            "is_churned": Column(
                "boolean", "the source's own claim that they left; checked against outcomes, not scored"
            ),
            "domain": Column("text", "their internet domain, such as acme.com; matches customers of other providers"),
            **_KNOWN,
        },
        settles=("ended_on",),
    ),
    Entity(
        name="users",
        domain="accounts",
        grain="user",
        key=("user_id",),
        happened="known_at",
        columns={
            "user_id": Column("text", "the person, as the product knows them", required=True),
            **_ACCOUNT,
            **_KNOWN,
        },
    ),
    Entity(
        name="subscriptions",
        domain="billing",
        grain="subscription and version",
        key=("subscription_id", "known_at"),
        happened="started_on",
        columns={
            "subscription_id": Column("text", "the subscription", required=True),
            **_ACCOUNT,
            "plan": Column("text", "plan of this subscription"),
            "status": Column("text", "the provider's status"),
            "mrr": Column("decimal", "monthly recurring revenue, in the company's currency", minimum=0),
            "seats": Column("integer", "seats of this subscription", minimum=0),
            "is_trial": Column("boolean", "not paid yet"),
            "is_churned": Column("boolean", "the source's own claim; checked against ended_on, not scored"),
            "started_on": Column("date", "first day", required=True),
            "ended_on": Column("date", "first day on which it no longer runs"),
            **_KNOWN,
        },
        settles=("ended_on",),
    ),
    Entity(
        name="usage_events",
        domain="usage",
        grain="event, or a row already counted by day",
        key=("event_id",),
        happened="occurred_at",
        columns=_reachable(
            {
                "event_id": Column("text", "the event; without it, repeats cannot be told from new events"),
                "event_name": Column("text", "event or feature name"),
                "occurred_at": Column("timestamp", "when it happened", required=True),
                "quantity": Column("integer", "events this row stands for; 1 if left out", minimum=0),
                "duration_seconds": Column("integer", "time spent", minimum=0),
                **_KNOWN,
            }
        ),
        may_reach_account=True,
    ),
    Entity(
        name="tickets",
        domain="support",
        grain="ticket",
        key=("ticket_id",),
        happened="created_at",
        columns=_reachable(
            {
                "ticket_id": Column("text", "the ticket", required=True),
                "severity": Column("text", "how bad it is", allowed=("urgent", "high", "normal", "low")),
                "status": Column("text", "the provider's status"),
                "created_at": Column("timestamp", "when it was opened", required=True),
                "first_replied_at": Column("timestamp", "first answer by a person"),
                "first_response_minutes": Column(
                    "decimal", "minutes to the first answer, where no time is given", minimum=0
                ),
                "solved_at": Column("timestamp", "when it was solved"),
                "reopened_at": Column("timestamp", "when it was last reopened"),
                "handling_minutes": Column("decimal", "time spent on it by support", minimum=0),
                "is_escalated": Column("boolean", "was escalated"),
                "csat_rating": Column("decimal", "rating of the answer"),
                "csat_scale": Column("integer", "highest rating on the scale; 5 if left out", minimum=2),
                "csat_at": Column("timestamp", "when it was rated; the time it was solved if left out"),
                **_KNOWN,
            }
        ),
        settles=("solved_at", "first_replied_at", "reopened_at", "csat_at"),
        may_reach_account=True,
    ),
    Entity(
        name="survey_responses",
        domain="survey",
        grain="response",
        key=("response_id",),
        happened="responded_at",
        columns=_reachable(
            {
                "response_id": Column("text", "the response", required=True),
                "kind": Column("text", "which survey", required=True, allowed=("nps", "csat", "ces")),
                "score": Column("decimal", "the answer, on its scale", required=True),
                "scale": Column("integer", "highest answer on the scale; NPS 10, CSAT 5, CES 7 if left out", minimum=2),
                "responded_at": Column("timestamp", "when it was answered", required=True),
                **_KNOWN,
            }
        ),
        may_reach_account=True,
    ),
    Entity(
        name="invoices",
        domain="billing",
        grain="invoice",
        key=("invoice_id",),
        happened="issued_on",
        columns=_reachable(
            {
                "invoice_id": Column("text", "the invoice", required=True),
                "amount": Column("decimal", "amount, in the company's currency; a credit note is negative"),
                "status": Column("text", "the provider's status"),
                "issued_on": Column("date", "day of issue", required=True),
                "due_on": Column("date", "last day to pay", required=True),
                "paid_on": Column("date", "day of payment"),
                **_KNOWN,
            }
        ),
        settles=("paid_on",),
        may_reach_account=True,
    ),
    Entity(
        name="engagement_events",
        domain="engagement",
        grain="engagement event",
        key=("engagement_id",),
        happened="occurred_at",
        columns=_reachable(
            {
                "engagement_id": Column("text", "the event", required=True),
                "kind": Column(
                    "text",
                    "what it was",
                    required=True,
                    allowed=(
                        "community_post",
                        "community_answer",
                        "review",
                        "social_mention",
                        "touchpoint",
                        "meeting",
                        "training",
                    ),
                ),
                "occurred_at": Column("timestamp", "when it happened", required=True),
                "rating": Column("decimal", "stars of a review, 1 to 5", minimum=1, maximum=5),
                "sentiment": Column("decimal", "tone of a mention, -1 to 1", minimum=-1, maximum=1),
                **_KNOWN,
            }
        ),
        may_reach_account=True,
    ),
    Entity(
        name="outcomes",
        domain="outcomes",
        grain="outcome (for validation only, never scored)",
        key=("outcome_id",),
        happened="decided_on",
        columns={
            "outcome_id": Column("text", "the outcome", required=True),
            **_ACCOUNT,
            "kind": Column(
                "text", "what happened", required=True, allowed=("churn", "downgrade", "renewal", "expansion")
            ),
            "decided_on": Column("date", "the day the customer decided", required=True),
            "amount": Column("decimal", "ARR won or lost"),
            **_KNOWN,
        },
    ),
    Entity(
        name="pulses",
        domain="judgement",
        grain="account and day",
        key=("account_id", "given_on"),
        happened="given_on",
        columns={
            **_ACCOUNT,
            "pulse": Column("integer", "the CSM's opinion, 1 (worst) to 5", required=True, minimum=1, maximum=5),
            "author": Column("text", "who gave it"),
            "given_on": Column("date", "the day it was given", required=True),
            "expires_on": Column("date", "first day on which it no longer counts", after="given_on"),
            **_KNOWN,
        },
    ),
    Entity(
        name="overrides",
        domain="judgement",
        grain="override",
        key=("override_id",),
        happened="starts_on",
        columns={
            "override_id": Column("text", "the override", required=True),
            **_ACCOUNT,
            "kind": Column("text", "what it does to the score", required=True, allowed=("cap", "floor", "value")),
            "score": Column("decimal", "the cap, floor or value", required=True, minimum=0, maximum=100),
            "reason": Column("text", "why", required=True),
            "author": Column("text", "who", required=True),
            "evidence": Column("text", "a link"),
            "starts_on": Column("date", "first day", required=True),
            "expires_on": Column("date", "first day on which it no longer counts", required=True, after="starts_on"),
            **_KNOWN,
        },
    ),
)

ENTITIES: dict[str, Entity] = {entity.name: entity for entity in _ALL}
