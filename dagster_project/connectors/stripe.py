"""Stripe into `raw_stripe.*`: customers, subscriptions with their items, invoices, charges.

The first load lists each kind of object to its end. From then on only `/v1/events` is asked for what has happened
since, and each object that it names is read once as it is now: Stripe's lists have no way to ask for changes. Events
are kept for 30 days by Stripe, so after a longer pause everything is listed again.

The key needs to read customers, subscriptions, invoices, charges and events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, epoch, matching, number, text, truth, whole
from dagster_project.http_client import Bearer, Client, NotFoundError, ProviderError, walk
from dagster_project.provider_settings import StripeSource, key_of

PAGE = 100  # the most that Stripe gives
PERMISSIONS = "read access to Customers, Subscriptions, Invoices, Charges and Events"
_EVENTS_LAST = 29 * 86_400  # seconds; after them the oldest changes are no longer told
_KINDS = {"customer": "customers", "subscription": "subscriptions", "invoice": "invoices", "charge": "charges"}


_OF_ALL = {"id": text("id"), "created_at": epoch("created"), "is_deleted": truth("deleted")}
_KEPT_OF_ALL = ("id", "object", "created", "deleted", "livemode", "currency")
_ITEM = {
    "item_id": text("id"),
    "quantity": whole("quantity"),
    "unit_amount": number("price.unit_amount_decimal", "price.unit_amount", "plan.amount"),
    "interval_name": text("price.recurring.interval", "plan.interval"),
    "interval_count": whole("price.recurring.interval_count", "plan.interval_count"),
    "usage_type": text("price.recurring.usage_type", "plan.usage_type"),
    "plan": text("price.nickname", "plan.nickname", "price.id", "plan.id"),
}
_KEPT_OF_ITEM = (
    "id", "quantity", "price.id", "price.nickname", "price.unit_amount", "price.unit_amount_decimal", "price.currency",
    "price.recurring.interval", "price.recurring.interval_count", "price.recurring.usage_type", "plan.id",
    "plan.nickname", "plan.amount", "plan.currency", "plan.interval", "plan.interval_count", "plan.usage_type",
)  # fmt: skip


def tables(source: StripeSource) -> tuple[RawTable, ...]:
    """The raw tables. Of an e-mail address only the domain is kept; names, addresses and notes are not."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "customers",
            (*_KEPT_OF_ALL, "email_domain", "delinquent", *matched_by),
            {
                **_OF_ALL,
                **match,
                "email_domain": text("email_domain"),
            },
        ),
        RawTable(
            "subscriptions",
            (
                *_KEPT_OF_ALL, "customer", "status", "start_date", "ended_at", "canceled_at", "cancel_at",
                "trial_start", "trial_end", *(f"items.data.{path}" for path in _KEPT_OF_ITEM),
            ),
            {
                **_OF_ALL,
                "customer_id": text("customer"),
                "status": text("status"),
                "currency": text("currency", "items.data[0].price.currency", "items.data[0].plan.currency"),
                "started_at": epoch("start_date", "created"),
                "ended_at": epoch("ended_at"),
            },
            parts=("subscription_items", "$.items.data[*]", _ITEM),
            opens="subscriptions",
            settles=("ended_at",),
        ),
        RawTable(
            "invoices",
            (
                *_KEPT_OF_ALL, "customer", "subscription", "parent.subscription_details.subscription", "status",
                "total", "amount_due", "amount_paid", "due_date", "collection_method",
                "status_transitions.finalized_at", "status_transitions.paid_at", "status_transitions.voided_at",
            ),
            {
                **_OF_ALL,
                "customer_id": text("customer"),
                "subscription_id": text("subscription", "parent.subscription_details.subscription"),
                "status": text("status"),
                "currency": text("currency"),
                "total": whole("total"),
                "due_at": epoch("due_date"),
                "finalized_at": epoch("status_transitions.finalized_at"),
                "paid_at": epoch("status_transitions.paid_at"),
            },
            opens="invoices",
            settles=("paid_at",),
        ),
        RawTable(
            "charges",
            (
                *_KEPT_OF_ALL, "customer", "invoice", "status", "amount", "amount_refunded", "paid", "refunded",
                "disputed", "failure_code",
            ),
            {
                **_OF_ALL,
                "customer_id": text("customer"),
                "invoice_id": text("invoice"),
                "status": text("status"),
                "currency": text("currency"),
                "amount": whole("amount"),
                "amount_refunded": whole("amount_refunded"),
                "is_paid": truth("paid"),
            },
        ),
    )  # fmt: skip


def client(source: StripeSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "stripe",
        source.url,
        Bearer(key_of(source.api_key, environ)),
        wrong_key=f"Check the key in {variable}: it needs {PERMISSIONS}",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    found = api.get("/v1/customers", {"limit": "1"}).get("data")
    return "the key is good, there are customers" if found else "the key is good, there are no customers yet"


def pull(api: Client, source: StripeSource, state: State, now: int) -> Iterator[Batch]:
    """What has changed since `state`, in batches; each carries the state once it is stored. `now` is seconds (UTC)."""
    back = source.look_back_minutes * 60
    if not state or now - state["since"] > _EVENTS_LAST:
        seen = [event["id"] for event in _events(api, now - back)]  # what the lists below hold already
        state = {"since": now, "seen": seen, "listed": {}}
    for name in _KINDS.values():
        if state["listed"].get(name) is True:
            continue
        for records, cursor in _pages(api, name, state["listed"].get(name)):
            state = {**state, "listed": {**state["listed"], name: cursor or True}}
            yield Batch(name, _completed(api, name, records), f"/v1/{name}", state)
    yield from _changes(api, state, back)


def _changes(api: Client, state: State, back: int) -> Iterator[Batch]:
    """The objects of the events not seen yet. The state moves on once all of them are stored."""
    events = _events(api, state["since"] - back)
    seen = set(state["seen"])
    named: dict[str, set[str]] = {}
    for event in events:
        told = event["data"]["object"]
        if event["id"] not in seen and told.get("object") in _KINDS and told.get("id"):
            named.setdefault(_KINDS[told["object"]], set()).add(told["id"])
    for name in _KINDS.values():
        ids = sorted(named.get(name, ()))
        for start in range(0, len(ids), PAGE):
            records = [_now(api, name, one) for one in ids[start : start + PAGE]]
            yield Batch(name, _completed(api, name, records), f"/v1/{name}", state)
    since = max([state["since"], *(event["created"] for event in events)])
    within = [event["id"] for event in events if event["created"] >= since - back]
    yield Batch("customers", [], "/v1/events", {**state, "since": since, "seen": within})


def _now(api: Client, name: str, one: str) -> dict[str, Any]:
    try:
        return api.get(f"/v1/{name}/{one}")
    except NotFoundError:
        return {"id": one, "deleted": True}


def _events(api: Client, since: int) -> list[dict[str, Any]]:
    query = {"created[gte]": str(since)}
    return [event for page, _ in _pages(api, "events", None, query) for event in page]


def _pages(
    api: Client, name: str, start: str | None, query: Mapping[str, str] | None = None
) -> Iterator[tuple[list[dict[str, Any]], str | None]]:
    """Pages of a list: `starting_after` is the id of the last record seen."""
    asked = {"limit": str(PAGE), **(query or {}), **({"status": "all"} if name == "subscriptions" else {})}

    def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(f"/v1/{name}", {**asked, **({"starting_after": after} if after else {})})
        records = api.objects(f"/v1/{name}", page, "data")
        if page.get("has_more") and not records:
            raise ProviderError(f"stripe: /v1/{name} says there is more but gives an empty page")
        return records, records[-1]["id"] if page.get("has_more") else None

    return walk(f"stripe: /v1/{name}", start, fetch)


def _completed(api: Client, name: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with what the list leaves out: items beyond the first; and with the domain in place of the address."""
    found = []
    for record in records:
        more: dict[str, Any] = {}
        if name == "customers":
            more = {"email_domain": email_domain(record.get("email"))}
        elif name == "subscriptions" and (record.get("items") or {}).get("has_more"):
            query = {"subscription": record["id"]}
            items = [item for page, _ in _pages(api, "subscription_items", None, query) for item in page]
            more = {"items": {"data": items}}
        found.append({**record, **more})
    return found
