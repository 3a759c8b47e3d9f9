"""Rows to bytes to files. The same rows give the same bytes, whenever and wherever they are written."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sample.dirt import Plant
from sample.parameters import Row

PlacedPlant = tuple[int, Plant, str]  # line in the file (the first is 1), what is wrong, the wrong value


def write_rows(path: Path, rows: list[Row]) -> list[PlacedPlant]:
    """Write rows as CSV or JSON lines, compressed, all by the name's suffixes; returns where the planted rows stand."""
    is_csv = ".csv" in path.suffixes
    clean = [{name: value for name, value in row.items() if name != "_planted"} for row in rows]
    data = (_csv(clean) if is_csv else _json_lines(clean)).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)  # a time in the header would make every run's bytes differ
    if path.suffix == ".zst":
        data = pa.Codec("zstd", compression_level=9).compress(data, asbytes=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    planted = []
    for line, row in enumerate(rows, start=2 if is_csv else 1):
        plant = row.get("_planted")
        if isinstance(plant, Plant):
            value = row[plant.column]
            planted.append((line, plant, "" if value is None else str(value)))
    return planted


def _csv(rows: list[Row]) -> str:
    """Comma-separated text with a header; None is empty, times are written without an offset."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)  # str() of a datetime is 2025-03-01 09:15:00, of a date 2025-03-01
    return text.getvalue()


def _json_lines(rows: list[Row]) -> str:
    """One JSON object a line; None is null, times end in Z."""
    return "".join(json.dumps(row, default=_json_value, separators=(",", ":")) + "\n" for row in rows)


def _json_value(value: object) -> str:
    """A date or time as JSON text."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no form in JSON lines; give text, a number, a date or a time")


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet (zstd); the counted columns as differences, which keeps the files small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=9,
        use_dictionary=["user_id", "feature"],
        column_encoding={
            "event_id": "DELTA_BYTE_ARRAY",
            "happened_at": "DELTA_BINARY_PACKED",
            "received_at": "DELTA_BINARY_PACKED",
            "seconds": "DELTA_BINARY_PACKED",
        },
    )


def hash_of_files(folder: Path, paths: list[str]) -> str:
    """SHA-256 over the names and bytes of the files (names relative to the folder, in sorted order)."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path} {hashlib.sha256((folder / path).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
