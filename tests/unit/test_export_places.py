"""Exports in every form, and to an S3-compatible store (moto's server on loopback): all rows, whole or as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import openpyxl
import pytest

from dagster_project.destinations import excel, exports
from dagster_project.destinations.exports import ExportError, send_export, write_export
from dagster_project.destinations.mart import publish_mart
from dagster_project.export_settings import Destinations, Export
from tests.marts_fixture import build_warehouse
from tests.s3_server import s3_server

SECRET = "secret_not_to_be_seen"


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mart")
    return publish_mart(build_warehouse(folder / "warehouse.duckdb", accounts=20, days=3), folder / "published").path


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


def rows_of(mart: Path, table: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(mart), read_only=True) as con:
        return con.execute(f"select * from marts.{table}").fetchall()


def test_json_lines_hold_every_value(mart: Path, tmp_path: Path) -> None:
    (file,) = write_export(mart, tmp_path, "health", "current_health", ["jsonl"])
    lines = [json.loads(line) for line in Path(file.path).read_text(encoding="utf-8").strip().split("\n")]
    with duckdb.connect(str(mart), read_only=True) as con:
        expected = con.execute("select to_json(t) from marts.current_health as t").fetchall()
    assert lines == [json.loads(line) for (line,) in expected]
    assert file.rows == len(lines) == 21


def test_a_workbook_holds_numbers_as_numbers_and_days_as_days_and_runs_nothing(mart: Path, tmp_path: Path) -> None:
    (file,) = write_export(mart, tmp_path, "health", "current_health", ["xlsx"])
    sheet = openpyxl.load_workbook(file.path).active
    header, *found = sheet.iter_rows(values_only=True)
    expected = rows_of(mart, "current_health")
    assert len(found) == file.rows == len(expected)
    for cells, values in zip(found, expected, strict=True):
        for name, cell, value in zip(header, cells, values, strict=True):
            assert as_cell(value) == cell, name
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref is not None
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds, "a formula"
    assert {"n", "s", "d"} <= kinds


def as_cell(value: object) -> object:
    """What openpyxl gives back: days as times, whole numbers as such, control characters as Excel writes them."""
    if value is None or value == "" or isinstance(value, bool):
        return None if value == "" else value
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        return value.replace("\x1b", "_x001B_")
    return pytest.approx(float(value), rel=1e-15) if not isinstance(value, datetime) else value  # type: ignore[arg-type]


def test_more_rows_than_a_sheet_holds_are_refused_before_anything_is_written(
    mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_AT_MOST", 20)
    with pytest.raises(ExportError, match=r"health\.xlsx: 21 rows are more than a sheet can hold .*as csv or parquet"):
        write_export(mart, tmp_path, "health", "current_health", ["xlsx"])
    assert list(tmp_path.iterdir()) == []
    assert excel.ROWS_AT_MOST == 2**20 - 1


def places(endpoint: str, **store: Any) -> Destinations:
    return Destinations.model_validate(
        {"stores": {"lake": {"bucket": "acme", "prefix": "health", "endpoint": endpoint, "key_id": "env:STORE_ID",
                             "secret": "env:STORE_SECRET", "region": "us-east-1", **store}}}
    )  # fmt: skip


EXPORT = Export(name="now", table="current_health", formats=("csv", "parquet"), to="lake")


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STORE_ID", "key_id")
    monkeypatch.setenv("STORE_SECRET", SECRET)
    keys = {"aws_access_key_id": "key_id", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    return boto3.resource("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="acme")


def test_files_go_to_a_store_and_nothing_stays_here(mart: Path, tmp_path: Path, bucket: Any, endpoint: str) -> None:
    done = send_export(mart, EXPORT, places(endpoint), tmp_path / "exports")
    assert [(file.path, file.rows) for file in done] == [
        ("s3://acme/health/now.csv", 21), ("s3://acme/health/now.parquet", 21)
    ]  # fmt: skip
    assert list((tmp_path / "exports").iterdir()) == []
    (here,) = write_export(mart, tmp_path, "now", "current_health", ["parquet"])
    stored = bucket.Object("health/now.parquet").get()["Body"].read()
    assert stored == Path(here.path).read_bytes()


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"bucket": "nobody-has-it"}, "bucket nobody-has-it: is not there"),
        ({"secret": "env:NOT_SET"}, "the environment variable NOT_SET is not set"),
    ],
)
def test_a_store_that_does_not_take_it_is_told_without_its_key(
    mart: Path, tmp_path: Path, bucket: Any, endpoint: str, store: Any, said: str
) -> None:
    with pytest.raises(ExportError) as error:
        send_export(mart, EXPORT, places(endpoint, **store), tmp_path)
    assert f"export 'now' to lake: {said}" in str(error.value)
    assert SECRET not in str(error.value)
