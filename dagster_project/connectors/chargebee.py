"""Chargebee into `raw_chargebee.*`: customers, subscriptions with their items, invoices.

Each list is asked for what has changed since the newest change seen, in the order of change, so that a load that was
cut off goes on there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_project.connectors.landing import Batch, State
from dagster_project.connectors.raw_tables import RawTable, email_domain, epoch, matching, number, text, truth, whole
from dagster_project.http_client import Basic, Client, ProviderError, walk
from dagster_project.provider_settings import ChargebeeSource, key_of

PERMISSIONS = "a read-only API key (Chargebee, Settings, API keys)"
PAGE = 100  # the most that Chargebee gives
_KINDS = {
    "customers": "customer",
    "subscriptions": "subscription",
    "invoices": "invoice",
}  # and what an entry is called
_OF_ALL = {"id": text("id"), "updated_at": epoch("updated_at"), "is_deleted": truth("deleted")}
_ITEM = {
    "item_type": text("item_type"),
    "plan": text("item_price_id"),
    "quantity": whole("quantity"),
}
_KEPT_OF_ALL = ("id", "updated_at", "deleted")


def tables(source: ChargebeeSource) -> tuple[RawTable, ...]:
    """The raw tables. Of an e-mail address only the domain is kept; names, addresses and cards are not."""
    matched_by, match = matching(source.match)
    return (
        RawTable(
            "customers",
            (*_KEPT_OF_ALL, "created_at", "email_domain", *matched_by),
            {**_OF_ALL, "created_at": epoch("created_at"), **match, "email_domain": text("email_domain")},
        ),
        RawTable(
            "subscriptions",
            (
                *_KEPT_OF_ALL, "created_at", "customer_id", "status", "currency_code", "mrr", "plan_id",
                "plan_quantity", "start_date", "started_at", "cancelled_at", "subscription_items.item_type",
                "subscription_items.item_price_id", "subscription_items.quantity",
            ),
            {
                **_OF_ALL,
                "created_at": epoch("created_at"),
                "customer_id": text("customer_id"),
                "status": text("status"),
                "currency": text("currency_code"),
                "mrr": number("mrr"),
                "plan": text("plan_id"),
                "seats": whole("plan_quantity"),
                "started_at": epoch("started_at", "start_date", "created_at"),
                "cancelled_at": epoch("cancelled_at"),
            },
            parts=("subscription_items", "$.subscription_items[*]", _ITEM),
            opens="subscriptions",
            settles=("cancelled_at",),
        ),
        RawTable(
            "invoices",
            (
                *_KEPT_OF_ALL, "customer_id", "subscription_id", "status", "currency_code", "total", "date", "due_date",
                "paid_at",
            ),
            {
                **_OF_ALL,
                "customer_id": text("customer_id"),
                "subscription_id": text("subscription_id"),
                "status": text("status"),
                "currency": text("currency_code"),
                "total": whole("total"),
                "issued_at": epoch("date"),
                "due_at": epoch("due_date"),
                "paid_at": epoch("paid_at"),
            },
            opens="invoices",
            created="issued_at",
            settles=("paid_at",),
        ),
    )  # fmt: skip


def client(source: ChargebeeSource, environ: Mapping[str, str] | None = None) -> Client:
    """A client with the key that config names. Raises MissingKeyError."""
    variable = source.api_key.removeprefix("env:")
    return Client(
        "chargebee",
        source.url,
        Basic(key_of(source.api_key, environ), ""),
        wrong_key=f"Check the key in {variable}: it has to be {PERMISSIONS}",
        base_path="/api/v2",
    )


def probe(api: Client) -> str:
    """One cheap call; what it found, in words. Raises ProviderError."""
    found = api.get("/customers", {"limit": "1"}).get("list")
    return "the key is good, there are customers" if found else "the key is good, there are no customers yet"


def pull(api: Client, source: ChargebeeSource, state: State, now: int) -> Iterator[Batch]:  # noqa: ARG001
    """What has changed since `state`, in batches; each carries the state once it is stored."""
    back = source.look_back_minutes * 60
    for kind, entry in _KINDS.items():
        since = max(state[kind] - back, 0) if kind in state else None
        for records in _listed(api, kind, entry, since):
            if records:
                state = {**state, kind: max(state.get(kind, 0), *(one.get("updated_at") or 0 for one in records))}
            found = [_with_domain(one) for one in records] if kind == "customers" else records
            yield Batch(kind, found, f"/{kind}", state)


def _listed(api: Client, kind: str, entry: str, since: int | None) -> Iterator[list[dict[str, Any]]]:
    path = f"/{kind}"
    asked = {"limit": str(PAGE), "include_deleted": "true", "sort_by[asc]": "updated_at"}
    if since is not None:
        asked["updated_at[after]"] = str(since)

    def fetch(offset: str | None) -> tuple[list[dict[str, Any]], str | None]:
        page = api.get(path, {**asked, **({"offset": offset} if offset else {})})
        entries = page.get("list")
        if not isinstance(entries, list):
            raise ProviderError(f"chargebee: {path} answered without a list in `list`; check `url`")
        records = [one.get(entry) for one in entries if isinstance(one, dict)]
        found = [one for one in records if isinstance(one, dict) and one.get("id")]
        if len(found) < len(entries):
            raise ProviderError(f"chargebee: {path} answered with an entry that holds no {entry}")
        return found, page.get("next_offset")

    for records, _ in walk(f"chargebee: {path}", None, fetch):
        yield records


def _with_domain(customer: dict[str, Any]) -> dict[str, Any]:
    return {**customer, "email_domain": email_domain(customer.get("email"))}
