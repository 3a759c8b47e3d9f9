"""Which measures rest on a provider's column: through aliases, functions, macros and several selects."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.entities import ENTITIES
from dagster_project.provider_settings import PROVIDERS
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.rests_on import _BESIDE, STAGING, measures_resting_on

TICKETS = """-- grain: ticket, rated_at
with rows_received as (
    select *, row_number() over (partition by id order by _seq desc) as copy
    from {{ source('raw_desk', 'tickets') }}
),

measured as (
    select
        id,
        created as began, {# solved, really #}
        {{ seconds_between('began', 'solved') }} as lasted,
        case when priority in ('a', 'b') then 'urgent' else 'low' end as severity,
        nullif(coalesce(score, 0), 0) as rating
    from rows_received
    where copy = 1
),

final as (
    select
        'desk' as source,
        id as ticket_id,
        began as created_at,
        began + lasted as solved_at,
        severity,
        cast(rating as decimal(18, 4)) as csat_rating,
        cast(null as timestamp) as reopened_at
    from measured
)

select * from final
"""


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "stg_desk__tickets.sql").write_text(TICKETS)
    customers = "select id as customer_id, site as domain, mood from {{ source('raw_desk', 'companies') }}"
    (folder / "stg_desk__customers.sql").write_text(customers)
    return tmp_path


@pytest.mark.parametrize(
    ("column", "among", "not_among"),
    [
        (("tickets", "score"), {"csat"}, {"open_urgent_tickets", "open_ticket_load"}),
        (("tickets", "priority"), {"open_urgent_tickets"}, {"csat", "open_ticket_load"}),
        (("tickets", "solved"), {"resolution_hours_90d", "open_ticket_load"}, {"mrr_change"}),
        (("tickets", "created"), {"resolution_hours_90d", "csat", "open_ticket_load"}, {"nps"}),
        (("companies", "site"), {"csat", "open_urgent_tickets"}, {"mrr_change"}),
    ],
)
def test_a_column_is_followed_to_the_measures(
    staging: Path, column: tuple[str, str], among: set[str], not_among: set[str]
) -> None:
    found = set(measures_resting_on("desk", [column], staging))
    assert among <= found
    assert not (not_among & found)


def test_a_column_that_nothing_uses_reaches_no_measure(staging: Path) -> None:
    assert measures_resting_on("desk", [("companies", "mood"), ("tickets", "colour")], staging) == []


def test_each_enabled_provider_reaches_some_measure() -> None:
    for provider in PROVIDERS:
        assert list((STAGING / provider).glob("stg_*.sql")), provider
    assert "days_past_due" in measures_resting_on("stripe", [("invoices", "paid_at")])
    assert "mrr_change" in measures_resting_on("stripe", [("subscription_items", "unit_amount")])
    assert "first_response_hours_90d" in measures_resting_on("zendesk", [("tickets", "first_response_minutes")])


def test_what_stands_in_for_a_needed_column_names_a_column() -> None:
    for need, columns in _BESIDE.items():
        entity, _, column = need.partition(".")
        assert {*columns, *([column] if column else [])} <= set(ENTITIES[entity].columns)
        assert [one for one in known_measures().values() if need in one.needs], need
