"""dbt's command line, in a process that does not outlive the one that started it: `python -m ... build`.

When a run is killed, dbt would go on alone: it would hold the warehouse against the next run, and build on whatever
that run has changed meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dbt_common.events.base_types import BaseEvent, EventMsg

_PR_SET_PDEATHSIG = 1  # prctl(2)
STARTED_BY = "HEALTH_STARTED_BY"  # the process to die with
# The SQL of each model stands in the folder `run` beside the log, what went wrong in the log: no debug lines there too.
QUIETLY = ("--no-version-check", "--no-use-colors", "--log-level-file", "info")


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends.

    Linux only. Elsewhere dbt stops at the first line it writes to the closed pipe, and the next run waits for that
    (warehouse.LOCK_WAIT_SECONDS).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    started_by = os.environ.get(STARTED_BY)
    if started_by and os.getppid() != int(started_by):  # it ended before the kernel was told
        sys.exit(1)


def skip_unheard_events() -> None:
    """Write only the events that a log takes.

    dbt turns each event into a line for each log, scrubs it of secrets, and only then drops what is below the log's
    level. A run of our 200 models and tests has five debug events for each that is told: a third of dbt's own time.
    Both names are private there; tests/unit guards them.
    """
    from dbt_common.events import logger

    write = logger._Logger.write_line
    levels = {level.value: number for level, number in logger._log_level_map.items()}

    def write_if_heard(self: logger._Logger, msg: EventMsg) -> None:
        taken = self._python_logger
        if taken is None or taken.isEnabledFor(levels[msg.info.level]) or logger._is_print_event(msg):
            write(self, msg)

    logger._Logger.write_line = write_if_heard  # type: ignore[method-assign]


def skip_unheard_debug_events() -> None:
    """Make no message of a debug event that no log takes.

    Before an event reaches a log, dbt copies it into a message and fills in when, where and by whom: a day's run fires
    some thousands, most of them for debugging. dbt adds a listener of its own to every run, which looks for one kind of
    warning to report. The names are private there; tests/unit guards them.
    """
    from dbt.tracking import track_behavior_change_warn
    from dbt_common.events import logger
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire: Callable[..., None] = EventManager.fire_event
    debug = logger._log_level_map[EventLevel.DEBUG]

    def fire_if_heard(
        self: EventManager,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: object = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        is_debug = (level or e.level_tag()) == EventLevel.DEBUG and type(e).__name__ not in logger.PRINT_EVENT_NAMES
        listeners = [one for one in self.callbacks if one is not track_behavior_change_warn]
        if is_debug and not force_warn_or_error_handling and not listeners:
            logs = [one._python_logger for one in self.loggers]
            if not any(log is None or log.isEnabledFor(debug) for log in logs):
                return
        fire(self, e, level=level, node=node, force_warn_or_error_handling=force_warn_or_error_handling)

    EventManager.fire_event = fire_if_heard  # type: ignore[method-assign]


def make_type_testers_once() -> None:
    """Make what guesses the types of a query's columns once, not for each of some hundred queries.

    Each time dbt sets up three parsers of dates for it. The name is private there; tests/unit guards it.
    """
    from dbt_common.clients import agate_helper

    agate_make = agate_helper.build_type_tester
    made: dict[tuple[tuple[str, ...], tuple[str, ...] | None], Any] = {}

    def build_once(text_columns: Iterable[str], string_null_values: Iterable[str] | None = ("null", "")) -> Any:
        key = tuple(text_columns), None if string_null_values is None else tuple(string_null_values)
        if key not in made:
            made[key] = agate_make(*key)
        return made[key]

    agate_helper.build_type_tester = build_once


def share_what_is_parsed() -> None:
    """Let one parse serve every company.

    dbt parses all files again (8 seconds) when the connection is another one: a model might ask for it in its SQL. Ours
    ask for the database's name only, which is the same for every file named warehouse.duckdb.
    """
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    keys: Callable[[DuckDBCredentials], tuple[str, ...]] = DuckDBCredentials._connection_keys

    def keys_that_matter(self: DuckDBCredentials) -> tuple[str, ...]:
        return tuple(key for key in keys(self) if key not in {"path", "config_options"})

    DuckDBCredentials._connection_keys = keys_that_matter  # type: ignore[method-assign]


if __name__ == "__main__":
    die_with_parent()
    skip_unheard_events()
    skip_unheard_debug_events()
    make_type_testers_once()
    share_what_is_parsed()
    from dbt.cli.main import cli

    cli()
