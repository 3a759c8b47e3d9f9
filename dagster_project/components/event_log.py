"""Dagster's SQLite storage, with a batch of events written in one transaction per database.

The stock storage opens a connection and commits for every event, in two databases: 20 to 40 ms for each
partition of a backfill (docs/decisions/0002-event-log-in-batches.md has the figures). Here the stock code
still decides which rows are written; it only finds the connection already open.

Named in dagster.yaml, where `base_dir` is the folder that the stock storage would use (DAGSTER_HOME):

    storage:
      custom:
        module: dagster_project.components.event_log
        class: BatchedSqliteStorage
        config: {base_dir: ...}
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

from dagster import DagsterInstance
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection

EVENTS_PER_BATCH = 500
_BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """The stock event log, except that `store_event_batch` commits once per database instead of once per event."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open or create the event log in `base_dir`; switches Dagster's batching on unless the user has set it.

        Raises RuntimeError if this version of Dagster is built differently from the one this class was made for:
        better no start than a log with holes.
        """
        self._batch_lock = threading.RLock()
        self._held: dict[str, Connection] = {}
        self._known_tables: set[str] = set()
        self._has_index_columns = False
        super().__init__(base_dir, inst_data=inst_data)
        if SqliteEventLogStorage.store_event_batch is not EventLogStorage.store_event_batch:
            raise RuntimeError(
                "this Dagster writes SQLite events in batches itself: "
                "remove `storage` from dagster.yaml and dagster_project/components/event_log.py"
            )
        if not isinstance(self._db_lock, type(threading.Lock())):
            raise RuntimeError(
                "SqliteEventLogStorage of this Dagster has no plain `_db_lock`: "
                "install the version in requirements.lock, or adapt dagster_project/components/event_log.py"
            )
        # Re-entrant: during a batch the same thread asks for a second database while it holds the first.
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # it has what `with` needs
        os.environ.setdefault(_BATCH_SIZE_VARIABLE, str(EVENTS_PER_BATCH))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Dagster's constructor from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store `events` through the stock `store_event`, all of them or none.

        The index is opened first, hence committed last: a crash between the two commits leaves partitions that
        look missing and are made again, never partitions that look made. When this raises, Dagster stores the
        events one by one.
        """
        with ExitStack() as databases:
            databases.enter_context(self._hold(INDEX_SHARD_NAME))
            for run_id in dict.fromkeys(event.run_id for event in events):
                databases.enter_context(self._hold(run_id))
            for event in events:
                self.store_event(event)

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events, and the file that held them: the stock class leaves it there, as large as it was."""
        super().delete_events(run_id)
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    @contextmanager
    def at_once(self, run_id: str) -> Iterator[None]:
        """Commit all that this thread stores of a run until the block ends together; other threads wait for it."""
        with self._hold(INDEX_SHARD_NAME), self._hold(run_id):
            yield

    @contextmanager
    def _hold(self, shard: str) -> Iterator[None]:
        """Keep one connection and its transaction to `shard` for whatever this thread stores meanwhile."""
        if shard in self._held:
            yield
            return
        with self._connect(shard) as connection:
            self._held[shard] = connection
            try:
                yield
            finally:
                del self._held[shard]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Other threads wait at the lock for the whole batch, so `_held` is only ever seen by the batch's own thread.
        with self._batch_lock:
            if shard in self._held:
                yield self._held[shard]
                return
            with super()._connect(shard) as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has the table. A yes is remembered: the stock class opens a connection for each event."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        self._has_index_columns = self._has_index_columns or super()._has_asset_key_index_cols_on_connection(conn)
        return self._has_index_columns


def at_once(instance: DagsterInstance, run_id: str) -> AbstractContextManager[None]:
    """A block whose events are committed together, where the instance has this storage; elsewhere just a block."""
    storage = instance.event_log_storage
    return storage.at_once(run_id) if isinstance(storage, BatchedSqliteEventLogStorage) else nullcontext()


class BatchedSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite runs and schedules as they are, with `BatchedSqliteEventLogStorage` as the event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open or create the three databases below `base_dir`, where the stock storage keeps them."""
        super().__init__(base_dir, inst_data=inst_data)
        self._event_log_storage = BatchedSqliteEventLogStorage(f"{base_dir}/history/runs")

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Dagster's constructor from dagster.yaml."""
        return cls.from_local(inst_data=inst_data, **config_value)
