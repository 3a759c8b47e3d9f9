"""Objects of an S3-compatible store (moto's server on loopback) as the files of a source."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
import yaml

from dagster_project import object_stores
from dagster_project.connectors import object_store
from dagster_project.connectors.files import load_entity, prepare
from dagster_project.connectors.inspection import check_files
from dagster_project.connectors.source_files import SourceFileError
from dagster_project.settings import ConfigError, Settings, load_settings
from tests.s3_server import s3_server

AT = datetime(2026, 5, 28, 6, 0)
SECRET = "secret_not_to_be_seen"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket of this test's own."""
    monkeypatch.setenv("STORE_ID", "key_id")
    monkeypatch.setenv("STORE_SECRET", SECRET)
    keys = {"aws_access_key_id": "key_id", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    store = boto3.resource("s3", endpoint_url=endpoint, **keys)
    return store.create_bucket(Bucket=f"b{abs(hash(request.node.name))}")


@pytest.fixture
def settings(bucket: Any, endpoint: str, tmp_path: Path) -> Settings:
    return configured(tmp_path, bucket=bucket.name, endpoint=endpoint)


def configured(folder: Path, **store: Any) -> Settings:
    document = {
        "company": "Acme", "home": str(folder / "home"), "days": {"first": "2026-01-01"},
        "sources": {"files": {
            "folder": str(folder / "copy"),
            "store": {"prefix": "exports/", "region": "us-east-1",
                      "key_id": "env:STORE_ID", "secret": "env:STORE_SECRET", **store},
            "entities": {
                "accounts": {"files": "accounts.csv", "columns": {"account_id": "id", "created_on": "since"}},
                "usage_events": {"files": ["usage/**/*.jsonl.gz"], "columns": {
                    "event_id": "messageId", "account_id": "groupId", "event_name": "event", "occurred_at": "timestamp",
                }},
            },
        }},
    }  # fmt: skip
    (folder / "pipeline.yml").write_text(yaml.safe_dump(document))
    return load_settings(folder / "pipeline.yml", {})


def put(bucket: Any, name: str, text: str | bytes) -> None:
    bucket.put_object(Key=name, Body=text)


def event(one: str) -> bytes:
    return gzip.compress(
        f'{{"messageId": "{one}", "groupId": "A1", "event": "x", "timestamp": "2026-05-01T10:00:00Z"}}\n'.encode()
    )


def loaded(con: duckdb.DuckDBPyConnection, settings: Settings, entity: str) -> tuple[int, int]:
    """Files found and files loaded."""
    result = load_entity(con, settings, entity, AT)
    return result.files_found, result.files_loaded


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        prepare(made)
        yield made


def test_objects_are_loaded_as_files_and_only_once(
    bucket: Any, settings: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    put(bucket, "exports/accounts.csv", "id,since\nA1,2026-01-01\n")
    put(bucket, "exports/usage/2026/05/a.jsonl.gz", event("e1"))
    put(bucket, "exports/usage/b.jsonl.gz", event("e2"))
    put(bucket, "exports/usage/notes.txt", "not asked for")
    put(bucket, "elsewhere/usage/c.jsonl.gz", event("e3"))
    assert loaded(con, settings, "accounts") == (1, 1)
    assert loaded(con, settings, "usage_events") == (2, 2)
    assert con.execute("select event_id, _file from raw_files.usage_events order by event_id").fetchall() == [
        ("e1", "usage/2026/05/a.jsonl.gz"), ("e2", "usage/b.jsonl.gz"),
    ]  # fmt: skip
    copy = settings.sources.files.folder  # type: ignore[union-attr]
    assert not (copy / "usage" / "notes.txt").exists()
    changed = {path: path.stat().st_ino for path in copy.rglob("*.gz")}
    assert loaded(con, settings, "usage_events") == (2, 0)
    assert {path: path.stat().st_ino for path in copy.rglob("*.gz")} == changed, "nothing is copied again"


def test_a_changed_object_replaces_its_rows_and_a_vanished_one_keeps_them(
    bucket: Any, settings: Settings, con: duckdb.DuckDBPyConnection
) -> None:
    put(bucket, "exports/usage/a.jsonl.gz", event("e1"))
    put(bucket, "exports/usage/b.jsonl.gz", event("e2"))
    loaded(con, settings, "usage_events")
    time.sleep(1.1)  # moto tells times in seconds
    put(bucket, "exports/usage/a.jsonl.gz", event("e9"))
    bucket.Object("exports/usage/b.jsonl.gz").delete()
    assert loaded(con, settings, "usage_events") == (2, 1)
    assert con.execute("select event_id from raw_files.usage_events order by event_id").fetchall() == [
        ("e2",), ("e9",)
    ]  # fmt: skip


def test_more_objects_than_a_list_has_at_once(bucket: Any, settings: Settings, con: duckdb.DuckDBPyConnection) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(bucket, f"exports/other/{number:04}", "x"), range(1005)))
    put(bucket, "exports/usage/last.jsonl.gz", event("e1"))
    assert loaded(con, settings, "usage_events") == (1, 1)


def test_a_copy_that_was_cut_off_goes_on(
    bucket: Any, settings: Settings, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(bucket, f"exports/usage/{number}.jsonl.gz", event(f"e{number}"))
    copied: list[str] = []
    regular = object_store._copy

    def dies(filesystem: Any, info: Any, here: Path) -> None:
        if len(copied) == 2:
            here.with_name(f".{here.name}.part").write_bytes(b"half")
            raise KeyboardInterrupt
        copied.append(here.name)
        regular(filesystem, info, here)

    with monkeypatch.context() as patch:
        patch.setattr(object_store, "_copy", dies)
        with pytest.raises(KeyboardInterrupt):
            load_entity(con, settings, "usage_events", AT)
    assert loaded(con, settings, "usage_events") == (4, 4)
    assert copied == ["0.jsonl.gz", "1.jsonl.gz"]


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"bucket": "nobody-has-this"}, r"bucket nobody-has-this: is not there; check `store` in pipeline.yml"),
        ({"endpoint": "http://127.0.0.1:1"}, r"does not answer; check `store`"),
        ({"key_id": "env:NOT_SET"}, r"the environment variable NOT_SET is not set"),
    ],
)
def test_a_store_that_cannot_be_read_is_said_so(
    bucket: Any, endpoint: str, tmp_path: Path, con: duckdb.DuckDBPyConnection, store: dict[str, Any], said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(object_stores, "TIMEOUTS", {"connect_timeout": 0.5, "request_timeout": 1.0})
    settings = configured(tmp_path, **{"bucket": bucket.name, "endpoint": endpoint, **store})
    with pytest.raises(SourceFileError, match=said) as error:
        load_entity(con, settings, "accounts", AT)
    assert SECRET not in str(error.value)


def test_a_refused_key_says_which_and_what_it_has_to_be_allowed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("When listing: AWS Error ACCESS_DENIED during ListObjectsV2 operation: key_id is not allowed")

    monkeypatch.setattr(object_store, "open_store", refuse)
    with pytest.raises(
        SourceFileError, match=r"was refused; .* the keys in STORE_ID and STORE_SECRET may list"
    ) as error:
        object_store.copy_objects(settings.sources.files, ["*.csv"])  # type: ignore[arg-type]
    assert "key_id" not in str(error.value)


def test_an_object_cannot_lead_out_of_the_folder(
    bucket: Any, settings: Settings, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    put(bucket, "exports/usage/../../../evil.jsonl.gz", event("e1"))
    with pytest.raises(SourceFileError, match="leads out of the folder"):
        load_entity(con, settings, "usage_events", AT)
    assert not list(tmp_path.rglob("evil*"))


def test_a_look_copies_nothing(bucket: Any, settings: Settings) -> None:
    put(bucket, "exports/accounts.csv", "id,since\nA1,2026-01-01\n")
    assert check_files(settings, "accounts") == 1
    assert check_files(settings, "usage_events") == 0
    assert not settings.sources.files.folder.exists()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"bucket": "s3://acme"}, "should be the name of a bucket, without s3://"),
        ({"secret": None}, "'secret' is missing: it goes with key_id"),
        ({"endpoint": "http://store.example"}, "would send the key in the open"),
        ({"key_id": "AKIA123"}, "should name an environment variable"),
    ],
)
def test_a_mistake_in_config_is_said_so(tmp_path: Path, store: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        configured(tmp_path, **{"bucket": "acme", "endpoint": "https://store.example", **store})


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("a.csv", ["a.csv"], ["b/a.csv", "aXcsv"]),
        ("*.csv", ["a.csv"], ["b/a.csv"]),
        ("**/*.csv", ["a.csv", "b/c/a.csv"], ["a.csv.gz"]),
        ("usage/202[5-6]-0?.parquet", ["usage/2026-01.parquet"], ["usage/2027-01.parquet", "usage/2026-11.parquet"]),
        ("[!a]*.csv", ["b.csv"], ["a.csv"]),
    ],
)
def test_patterns_match_as_they_do_in_a_folder(
    pattern: str, fits: list[str], does_not: list[str], tmp_path: Path
) -> None:
    for name in (*fits, *does_not):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern)) == sorted(fits)

    wanted = re.compile(object_store.as_regex(pattern))
    assert [name for name in (*fits, *does_not) if wanted.fullmatch(name)] == fits
