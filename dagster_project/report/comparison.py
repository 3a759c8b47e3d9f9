"""What other scores would change: the same accounts and days, as they are and as they would be, in a few figures.

Reads the file that components/scratch.py makes: `main.before`, `main.after` and `main.accounts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.report.summary import BANDS

MOVERS_SHOWN = 10
BIN_POINTS = 10  # width of a bar of the histogram


@dataclass(frozen=True)
class Cell:
    """Accounts of the newest day by their band before and after; `arr` is the sum of what is known of it."""

    before: str
    after: str
    accounts: int
    arr: Decimal


@dataclass(frozen=True)
class OwnerMove:
    """The accounts of one owner on the newest day, and those whose band would be better or worse, with their ARR.

    `other` counts those that would come into a band or lose theirs, for want of data. Means are over what has a score.
    """

    owner: str | None
    accounts: int
    better: int
    better_arr: Decimal
    worse: int
    worse_arr: Decimal
    other: int
    mean_before: float | None
    mean_after: float | None


@dataclass(frozen=True)
class Bin:
    """Accounts of the newest day with a score from `lower` up to the next bin (100 belongs to the last)."""

    lower: int
    before: int
    after: int


@dataclass(frozen=True)
class Mover:
    """An account and its score and band on the newest day."""

    account_id: str
    account_name: str | None
    owner: str | None
    arr: Decimal | None
    score_before: float
    score_after: float
    band_before: str
    band_after: str


@dataclass(frozen=True)
class Month:
    """All account-days of a month: means of the scores, and how many account-days would have another band."""

    month: str
    account_days: int
    mean_before: float | None
    mean_after: float | None
    band_changes: int


@dataclass(frozen=True)
class Comparison:
    """Everything `health whatif` shows.

    `movers` holds the accounts whose score differs most, at most ten; `hashes` the scorecard versions that made the
    newest day's scores as they are.
    """

    first: date
    day: date
    accounts_without_arr: int
    cells: tuple[Cell, ...]
    owners: tuple[OwnerMove, ...]
    bins: tuple[Bin, ...]
    movers: tuple[Mover, ...]
    months: tuple[Month, ...]
    account_days: int
    score_changes: int
    band_changes: int
    hashes: frozenset[str]

    @property
    def is_unchanged(self) -> bool:
        """Whether every score and band of every account and day would be the same."""
        return self.score_changes == 0 and self.band_changes == 0


_PAIRS = """
create temp view pairs as
select
    account_id,
    day,
    before.score as score_before,
    after.score as score_after,
    coalesce(before.band, 'insufficient_data') as band_before,
    coalesce(after.band, 'insufficient_data') as band_after,
    accounts.account_name,
    accounts.owner,
    accounts.arr
from main.before as before
full outer join main.after as after using (account_id, day)
left join main.accounts as accounts using (account_id, day)
"""

# insufficient_data is neither better nor worse than a band.
_PLACE = "list_position(['red', 'yellow', 'green'], {})"


def compare(file: Path) -> Comparison:
    """Read the figures; the file must hold at least one account and day."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(_PAIRS)
        first, day, account_days, scores, bands = _rows(
            connection,
            "select min(day), max(day), count(*), "
            "count(*) filter (where score_before is distinct from score_after), "
            "count(*) filter (where band_before <> band_after) from pairs",
        )[0]
        connection.execute("create temp table newest as select * from pairs where day = ?", [day])
        without_arr = _rows(connection, "select count(*) from newest where arr is null")[0][0]
        return Comparison(
            first=first,
            day=day,
            accounts_without_arr=without_arr,
            cells=_cells(connection),
            owners=_owners(connection),
            bins=_bins(connection),
            movers=_movers(connection),
            months=_months(connection),
            account_days=account_days,
            score_changes=scores,
            band_changes=bands,
            hashes=frozenset(
                row[0] for row in _rows(connection, f"select scorecard_hash from main.before where day = date '{day}'")
            ),
        )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def _cells(connection: duckdb.DuckDBPyConnection) -> tuple[Cell, ...]:
    found = {
        (before, after): Cell(before, after, accounts, arr)
        for before, after, accounts, arr in _rows(
            connection,
            "select band_before, band_after, count(*), cast(coalesce(sum(arr), 0) as decimal(18, 4)) "
            "from newest group by all",
        )
    }
    return tuple(found.get((one, other), Cell(one, other, 0, Decimal(0))) for one in BANDS for other in BANDS)


def _owners(connection: duckdb.DuckDBPyConnection) -> tuple[OwnerMove, ...]:
    """Those with the most ARR that would be in a worse band first."""
    better, worse = (
        f"{_PLACE.format('band_after')} {sign} {_PLACE.format('band_before')}"  # null where one has no band
        for sign in (">", "<")
    )
    rows = _rows(
        connection,
        f"""
        select
            owner,
            count(*),
            count(*) filter (where {better}),
            cast(coalesce(sum(arr) filter (where {better}), 0) as decimal(18, 4)),
            count(*) filter (where {worse}),
            cast(coalesce(sum(arr) filter (where {worse}), 0) as decimal(18, 4)) as worse_arr,
            count(*) filter (where band_before <> band_after and 'insufficient_data' in (band_before, band_after)),
            avg(score_before),
            avg(score_after)
        from newest
        group by owner
        order by worse_arr desc, 5 desc, 3 desc, owner nulls last
        """,  # conditions written above
    )
    return tuple(OwnerMove(*row) for row in rows)


def _bins(connection: duckdb.DuckDBPyConnection) -> tuple[Bin, ...]:
    lasts = 100 // BIN_POINTS - 1
    counts = []
    for column in ("score_before", "score_after"):
        rows = _rows(
            connection,
            f"select least(cast(floor({column} / {BIN_POINTS}) as integer), {lasts}), count(*) "
            f"from newest where {column} is not null group by all",
        )
        counts.append(dict(rows))
    return tuple(
        Bin(number * BIN_POINTS, counts[0].get(number, 0), counts[1].get(number, 0)) for number in range(lasts + 1)
    )


def _movers(connection: duckdb.DuckDBPyConnection) -> tuple[Mover, ...]:
    rows = _rows(
        connection,
        f"""
        select account_id, account_name, owner, arr, score_before, score_after, band_before, band_after
        from newest
        where score_before <> score_after
        order by abs(score_after - score_before) desc, arr desc nulls last, account_id
        limit {MOVERS_SHOWN}
        """,
    )
    return tuple(Mover(*row) for row in rows)


def _months(connection: duckdb.DuckDBPyConnection) -> tuple[Month, ...]:
    rows = _rows(
        connection,
        """
        select
            strftime(day, '%Y-%m'), count(*), avg(score_before), avg(score_after),
            count(*) filter (where band_before <> band_after)
        from pairs
        group by 1
        order by 1
        """,
    )
    return tuple(Month(*row) for row in rows)
