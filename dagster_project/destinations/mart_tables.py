"""What the marts hold: their columns, and for each day how many rows and the sum of their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from dagster_project.warehouse import quoted

# Names dbt gives to a table while it swaps it; a killed dbt run may leave one behind.
_NOT_MARTS = ("__dbt_tmp", "__dbt_backup")
# What comes first in a table's order; the rest of its columns follow, so that the order is always total.
_ORDER = ("day", "account_id", "lens", "scorecard_hash", "measure")

Day = date | None  # None: rows without a day, and all rows of a table that has no column `day`
Content = Mapping[Day, tuple[int, int]]  # rows, and the sum of their hashes: the same in whatever order they lie


@dataclass(frozen=True)
class Table:
    """A mart: its columns as (name, type, comment), and its content by day."""

    name: str
    comment: str | None
    columns: tuple[tuple[str, str, str | None], ...]
    content: Content

    @property
    def rows(self) -> int:
        """Its number of rows."""
        return sum(rows for rows, _ in self.content.values())

    @property
    def has_days(self) -> bool:
        """Whether its rows are of days."""
        return any((name, kind) == ("day", "DATE") for name, kind, _ in self.columns)

    @property
    def order(self) -> str:
        """The columns to sort by."""
        names = [name for name, _, _ in self.columns]
        return ", ".join(
            map(quoted, [name for name in _ORDER if name in names] + [name for name in names if name not in _ORDER])
        )

    def days_unlike(self, older: Table | None) -> set[Day] | None:
        """The days whose rows are not those of the older table; None if all of it has to be written."""
        if older is None or self.columns != older.columns or self.comment != older.comment or not self.has_days:
            return None if older != self else set()
        return {day for day in {*self.content, *older.content} if self.content.get(day) != older.content.get(day)}


def read_tables(connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> list[Table]:
    """Every mart of the schema, tables and views, by name; none begins with an underscore."""
    found = connection.execute(
        """
        select table_name, comment from duckdb_tables() where database_name = $catalog and schema_name = $schema
        union all
        select view_name, comment from duckdb_views() where database_name = $catalog and schema_name = $schema
        order by 1
        """,
        {"catalog": catalog, "schema": schema},
    ).fetchall()
    marts = [(name, comment) for name, comment in found if not name.startswith("_") and not name.endswith(_NOT_MARTS)]
    columns: dict[str, list[tuple[str, str, str | None]]] = {name: [] for name, _ in marts}
    for table, *column in connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = $catalog and schema_name = $schema order by table_name, column_index",
        {"catalog": catalog, "schema": schema},
    ).fetchall():
        if table in columns:
            columns[table].append((column[0], column[1], column[2]))
    bare = [Table(name, comment, tuple(columns[name]), {}) for name, comment in marts]
    return [
        Table(
            table.name, table.comment, table.columns, content_of(connection, quoted(catalog, schema, table.name), table)
        )
        for table in bare
    ]


def content_of(connection: duckdb.DuckDBPyConnection, relation: str, table: Table, where: str = "true") -> Content:
    """Rows and sum of hashes by day of a relation with the table's columns."""
    day = "day" if table.has_days else "null::date"
    found = connection.execute(
        f"select {day}, count(*), sum(hash(t)) from {relation} as t where {where} group by 1"
    ).fetchall()
    return {day: (rows, digest) for day, rows, digest in found}


def fingerprint(layout: int, tables: list[Table]) -> str:
    """16 hex digits that name the content: the same marts give the same, whenever they are published."""
    content = [
        [table.name, table.comment, table.columns, table.rows, str(sum(digest for _, digest in table.content.values()))]
        for table in tables
    ]
    return hashlib.sha256(json.dumps([layout, content]).encode()).hexdigest()[:16]
