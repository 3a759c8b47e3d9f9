"""What `health explain` says of the accounts above and below one, from the published mart."""

from __future__ import annotations

from typing import Any

import duckdb

from dagster_project.report.summary import BAND_TITLES, count, points
from dagster_project.report.terminal import clean

Row = dict[str, Any]

ROLL_UPS = {"arr_weighted_mean": "ARR-weighted mean", "mean": "mean", "worst": "the worst of them"}


def family(mart: duckdb.DuckDBPyConnection, account_id: str, on: object, lens: str) -> Row | None:
    """The account's row of fct_parent_scores on a day (None: its newest), with the name of the lowest account.

    None where it has no accounts below it.
    """
    return _row(
        mart,
        """
        select parents.*, coalesce(lowest.account_name, parents.lowest_account_id) as lowest_name
        from marts.fct_parent_scores as parents
        left join marts.dim_accounts as lowest on parents.lowest_account_id = lowest.account_id
        where parents.account_id = $account and parents.lens = $lens and ($on is null or parents.day = $on)
        order by parents.day desc limit 1
        """,
        {"account": account_id, "lens": lens, "on": on},
    )


def related(mart: duckdb.DuckDBPyConnection, account_id: str, day: object, lens: str) -> list[str]:
    """A sentence for the account together with those below it, and one for its parent as last known."""
    said = []
    together = family(mart, account_id, day, lens)
    if together is not None:
        said.append(in_words(together))
    above = _row(
        mart,
        """
        select child.parent_account_id as parent_id, parent.account_name as name
        from marts.dim_accounts as child
        left join marts.dim_accounts as parent on child.parent_account_id = parent.account_id
        where child.account_id = $account and child.parent_account_id is not null
        """,
        {"account": account_id},
    )
    if above is not None:
        said.append(_of_parent(above, family(mart, above["parent_id"], day, lens)))
    return said


def in_words(together: Row) -> str:
    """`Together with those below it: 61.2, yellow (5 accounts; mean; 1 of 5 without a score); lowest: Name, 32.0.`"""
    how = ROLL_UPS.get(str(together["roll_up"]), str(together["roll_up"]))
    without = together["accounts"] - together["accounts_scored"]
    if without:
        how += f"; {without} of {together['accounts']} without a score"
    said = f"Together with those below it: {_verdict(together)} ({count(together['accounts'], 'account', 'accounts')}"
    if not together["counts_own"]:
        said += ", its own row does not count"
    said += f"; {how})"
    if together["lowest_account_id"] is not None:
        said += f"; lowest: {clean(together['lowest_name'])}, {points(together['lowest_score'])}"
    return f"{said}."


def _of_parent(parent: Row, together: Row | None) -> str:
    named = clean(str(parent["parent_id"]))
    if parent["name"] is None:
        return f"Parent: {named}, which is none of the accounts."
    said = f"Parent: {clean(parent['name'])} ({named})"
    return f"{said}, with all below it {_verdict(together)}." if together else f"{said}."


def _verdict(together: Row) -> str:
    band = BAND_TITLES.get(str(together["band"]), str(together["band"]))
    return band if together["score"] is None else f"{points(together['score'])}, {band}"


def _row(mart: duckdb.DuckDBPyConnection, query: str, parameters: Row) -> Row | None:
    cursor = mart.execute(query, parameters)
    names = [column[0] for column in cursor.description or []]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else None
