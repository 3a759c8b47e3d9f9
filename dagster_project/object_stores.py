"""An S3-compatible store, opened with the keys that config names, its faults in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster_project.provider_settings import MissingKeyError, key_of

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

    from dagster_project.source_settings import ObjectStore

TIMEOUTS = {"connect_timeout": 10.0, "request_timeout": 60.0}  # seconds
_REASONS = {
    "ACCESS_DENIED": "was refused",
    "INVALID_ACCESS_KEY_ID": "was refused",
    "SIGNATURE_DOES_NOT_MATCH": "was refused",
    "HTTP STATUS 403": "was refused",
    "NO_SUCH_BUCKET": "is not there",
    "HTTP STATUS 301": "is in another region",
    "NETWORK_CONNECTION": "does not answer",
}


class StoreError(Exception):
    """The store did not do what was asked; the message says why and what to look at."""


def open_store(store: ObjectStore) -> S3FileSystem:
    """The store. Raises MissingKeyError."""
    from pyarrow.fs import S3FileSystem  # it takes a third of a second, and few need it

    keys = {}
    if store.key_id and store.secret:
        keys = {"access_key": key_of(store.key_id), "secret_key": key_of(store.secret)}
    scheme, _, host = (store.endpoint or "").rpartition("://")
    where: dict[str, Any] = {"endpoint_override": host, "scheme": scheme} if host else {}
    return S3FileSystem(**keys, **where, region=store.region, **TIMEOUTS)


def root_of(store: ObjectStore) -> str:
    """The bucket with the prefix, without a slash at its end."""
    prefix = store.prefix.strip("/")
    return f"{store.bucket}/{prefix}" if prefix else store.bucket


@contextmanager
def faults_in_words(store: ObjectStore, asked: str, needs: str) -> Iterator[None]:
    """Raises StoreError for a fault of the store: the address and the key never stand in it.

    `asked` is what it could not do ("be read"), `needs` what the keys have to be allowed.
    """
    variables = " and ".join(name.removeprefix("env:") for name in (store.key_id, store.secret) if name)
    keys = f"the keys in {variables}" if variables else "the keys of this machine (none are named in `store`)"
    try:
        yield
    except MissingKeyError as error:
        raise StoreError(str(error)) from None
    except OSError as error:
        said = str(error).upper()
        reason = next((words for mark, words in _REASONS.items() if mark in said), f"could not {asked}")
        raise StoreError(
            f"bucket {store.bucket}: {reason}; check `store` in pipeline.yml, and that {keys} may {needs}"
        ) from None
