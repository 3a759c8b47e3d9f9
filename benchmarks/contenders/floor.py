"""The floor: DuckDB reads the columns that are needed, once, and does nothing with them."""

import duckdb

from benchmarks.contenders import given

SETTINGS: dict[str, str | bool | int | float | list[str]] = {"threads": 2, "memory_limit": "2GB"}

if __name__ == "__main__":
    with duckdb.connect(config=SETTINGS) as connection:
        connection.execute(
            "select bit_xor(hash(event_id, account_id, user_id, feature, happened_at)) from read_parquet(?)",
            [given().usage],
        )
