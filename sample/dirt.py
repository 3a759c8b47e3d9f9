"""Rows that are wrong on purpose, so that quarantine and the input report have something to show.

They are added rows, never changed ones: the good rows tell the same story with or without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa

from sample.parameters import Row
from sample.usage import UsageFile

UNKNOWN_ACCOUNT = "A9999"
UNKNOWN_USER = "U99999"
UNKNOWN_USER_EVENTS = 3


@dataclass(frozen=True)
class Plant:
    """What is wrong with a planted row.

    `column` is the file's column, `entity_column` what config/pipeline.yml maps it to. `is_rejected`: the row
    breaks its entity's contract and belongs in quarantine; the others are kept and reported.
    """

    kind: str
    entity: str
    column: str
    entity_column: str
    is_rejected: bool


def plant_rows(tables: dict[str, list[Row]]) -> None:
    """Insert the planted rows into the tables (by entity), each right behind the row it was copied from."""
    accounts = tables["accounts"]
    staying = [place for place, row in enumerate(accounts) if row["stage"] == "adopted" and row["left_on"] is None]
    place = staying[len(staying) // 3]
    bad_date: Row = {"customer_since": "2025-02-30", "updated_at": _later(accounts[place])}
    _plant(accounts, place, bad_date, Plant("bad_date", "accounts", "customer_since", "created_on", True))
    place = staying[len(staying) // 2] + 1  # the row above it was planted before
    repeated: Row = {"seats": int(str(accounts[place]["seats"])) + 1}
    _plant(accounts, place, repeated, Plant("repeated_account_id", "accounts", "id", "account_id", True))

    subscriptions = tables["subscriptions"]
    place = len(subscriptions) // 2
    negative: Row = {"mrr_usd": "-40.00", "updated_at": _later(subscriptions[place])}
    _plant(subscriptions, place, negative, Plant("negative_mrr", "subscriptions", "mrr_usd", "mrr", True))

    tickets, known = tables["tickets"], len(tables["tickets"])
    unknown_severity = Plant("unknown_severity", "tickets", "priority", "severity", True)
    _plant(tickets, known // 4, {"id": f"T{known + 1:05d}", "priority": "P0"}, unknown_severity)
    _plant(tickets, known // 2, {"id": f"T{known + 2:05d}", "priority": "P0"}, unknown_severity)
    unknown_account = Plant("unknown_account_id", "tickets", "account_id", "account_id", False)
    _plant(tickets, 3 * known // 4, {"id": f"T{known + 3:05d}", "account_id": UNKNOWN_ACCOUNT}, unknown_account)

    surveys, known = tables["survey_responses"], len(tables["survey_responses"])
    missing = Plant("missing_required_value", "survey_responses", "answer", "score", True)
    _plant(surveys, known // 3, {"response_id": f"R{known + 1:05d}", "answer": None}, missing)
    bad_time = Plant("bad_date", "survey_responses", "answered", "responded_at", True)
    _plant(surveys, known // 2, {"response_id": f"R{known + 2:05d}", "answered": "31/02/2026 10:00"}, bad_time)

    invoices, known = tables["invoices"], len(tables["invoices"])
    stray: Row = {"number": f"I{known + 1:05d}", "account_id": UNKNOWN_ACCOUNT, "subscription_id": "S9999-1"}
    _plant(invoices, known // 2, stray, replace(unknown_account, entity="invoices"))


def _plant(rows: list[Row], place: int, wrong: Row, plant: Plant) -> None:
    """Insert, behind the row at `place`, a copy of it with the wrong values."""
    rows.insert(place + 1, {**rows[place], **wrong, "_planted": plant})


def _later(row: Row) -> datetime:
    """A time of the next minute: another version of the same row."""
    updated_at = row["updated_at"]
    assert isinstance(updated_at, datetime)
    return updated_at + timedelta(minutes=1)


def plant_events(files: list[UsageFile]) -> tuple[list[UsageFile], int]:
    """Add events of an unknown user to the end of the middle month's file; returns the files and that place."""
    place = len(files) // 2
    file = files[place]
    last = file.table.slice(file.table.num_rows - 1).to_pylist()[0]
    happened = last["received_at"] - timedelta(seconds=30)
    rows = [
        {**last, "event_id": f"E999999{number}", "user_id": UNKNOWN_USER, "happened_at": happened}
        for number in range(1, UNKNOWN_USER_EVENTS + 1)
    ]
    table = pa.concat_tables([file.table, pa.Table.from_pylist(rows, schema=file.table.schema)])
    return [*files[:place], replace(file, table=table), *files[place + 1 :]], place
