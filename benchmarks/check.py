"""Are two tables of scores the same: every account and day, every column, to 1e-9.

The table is one row an account and day: raw_score, score, band, coverage, then each measure's value and score.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from benchmarks.company import FIRST_DAY, NEXT_DAY

MEASURES = (
    "active_users_to_seats", "stickiness", "usage_vs_baseline", "feature_breadth", "days_since_last_activity",
    "events_per_active_user_28d", "tickets_per_100_seats_90d", "csat", "days_past_due",
)  # fmt: skip
NUMBERS = ("raw_score", "score", "coverage", *(name for one in MEASURES for name in (one, f"{one}_score")))
TOLERANCE = 1e-9


class DifferentError(Exception):
    """Two contenders do not give the same table; the message says in what."""


def assert_same(reference: Path, other: Path) -> int:
    """Compare two Parquet files month by month; returns the number of rows. Raises DifferentError."""
    differences = {
        "a row that the other has not": "ours.account_id is null or theirs.account_id is null",
        "band": "ours.band is distinct from theirs.band",
        **{
            name: f"(ours.{name} is null) <> (theirs.{name} is null) or abs(ours.{name} - theirs.{name}) > {TOLERANCE}"
            for name in NUMBERS
        },
    }
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in differences.values())
    rows, found = 0, dict.fromkeys(differences, 0)
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        for first, after in _months(connection):
            files = {"ours": str(reference), "theirs": str(other), "first": first, "after": after}
            row = connection.execute(
                f"""
                with ours as (from read_parquet($ours) where day >= $first and day < $after),
                theirs as (from read_parquet($theirs) where day >= $first and day < $after)
                select count(*), {counts}
                from ours full join theirs on ours.account_id = theirs.account_id and ours.day = theirs.day
                """,
                files,
            ).fetchone()
            assert row is not None
            rows += row[0]
            found = {name: found[name] + count for name, count in zip(found, row[1:], strict=True)}
    wrong = {name: count for name, count in found.items() if count}
    if wrong or not rows:
        raise DifferentError(f"{other} differs from {reference} in {rows:,} rows: {wrong}")
    return rows


def write_marts(mart: Path, output: Path, first_day: date, last_day: date) -> None:
    """The project's two marts as Parquet files of the table, one a month, for the days asked for."""
    columns = ", ".join(
        f"max(value) filter (where measure = '{one}') as {one}, "
        f"max(measure_score) filter (where measure = '{one}') as {one}_score"
        for one in MEASURES
    )
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        connection.execute(f"attach '{mart}' as mart (read_only)")
        for first, after in _months(connection):
            connection.execute(
                f"""
                copy (
                    with measures as (
                        select account_id, day, {columns}
                        from mart.marts.fct_measure_scores
                        where day >= '{first}' and day < '{after}' and day between '{first_day}' and '{last_day}'
                        group by account_id, day
                    )
                    select account_id, day, raw_score, score, band, coverage, measures.* exclude (account_id, day)
                    from mart.marts.fct_health_scores as scores
                    inner join measures using (account_id, day)
                    where day >= '{first}' and day < '{after}' and day between '{first_day}' and '{last_day}'
                ) to '{output}/{first}.parquet' (format parquet)
                """
            )


def _months(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, object]]:
    return connection.execute(
        "select month::date, (month + interval 1 month)::date "
        "from (select unnest(generate_series(date_trunc('month', $1::date), $2::date, interval 1 month)) as month)",
        [FIRST_DAY, NEXT_DAY],
    ).fetchall()
