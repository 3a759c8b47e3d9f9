"""What our process changes in dbt's own code: private names, which a new version of dbt may give another meaning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

SAID = """
import io, sys
from dbt.tracking import track_behavior_change_warn
from dbt_common.events import event_manager, logger
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.types import Formatting, PrintEvent
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dagster_project.components import dbt_process

made = []
class Counting(logger._TextLogger):
    def create_line(self, msg):
        made.append(msg.info.level)
        return super().create_line(msg)

logger._TextLogger = Counting
dbt_process.skip_unheard_events()
dbt_process.skip_unheard_debug_events()
dbt_process.make_type_testers_once()
dbt_process.share_what_is_parsed()
manager, told = EventManager(), io.StringIO()
manager.callbacks.append(track_behavior_change_warn)  # as dbt does for every run
copied, copy = [], event_manager.msg_from_base_event
def copy_and_note(event, level=None):
    copied.append((level or event.level_tag()).value)
    return copy(event, level=level)

event_manager.msg_from_base_event = copy_and_note
log = Counting(logger.LoggerConfig(name="told", level=EventLevel.INFO, output_stream=told))
manager.loggers.append(log)
for level in (EventLevel.DEBUG, EventLevel.INFO, EventLevel.ERROR):
    manager.fire_event(Formatting(msg=f"said as {level.value}"), level=level)
manager.fire_event(PrintEvent(msg="printed"), level=EventLevel.DEBUG)

def keys(path, threads):
    return list(DuckDBCredentials(
        schema="main", path=path, database="warehouse", config_options={"threads": threads}
    ).connection_info())

from dbt_common.clients import agate_helper
rows = [["7", "2026-06-30", "x", "0.5", None]]
columns = ["a", "b", "c", "d", "e"]
tables = [agate_helper.table_from_rows(rows, columns, text) for text in ((), ("a",), ())]
typed = [[type(one).__name__ for one in table.rows[0]] for table in tables]
testers = agate_helper.build_type_tester(("a",)) is agate_helper.build_type_tester(["a"])
copied_for_logs, heard = [*copied], []
manager.callbacks.append(lambda msg: heard.append(msg.info.level))
manager.fire_event(Formatting(msg="for a callback"), level=EventLevel.DEBUG)
import json
both = [keys("a/warehouse.duckdb", 1), keys("b/warehouse.duckdb", 2)]
print(json.dumps({
    "told": told.getvalue(), "made": made, "keys": both, "typed": typed, "testers": testers, "heard": heard,
    "copied": copied_for_logs,
}))
"""


def said() -> dict[str, object]:
    """In a process of its own: dbt stays as it is for the other tests."""
    done = subprocess.run([sys.executable, "-c", SAID], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_only_what_a_log_takes_is_written_and_all_of_that() -> None:
    found = said()
    told = str(found["told"])
    assert [word for word in ("debug", "info", "error") if f"said as {word}" in told] == ["info", "error"]
    assert "printed" in told, "dbt prints whatever the level"
    assert found["made"] == ["info", "error", "debug"], "a line was made for an event that no log takes, or none"
    assert found["copied"] == ["info", "error", "debug"], "a message was made of an event that no log takes, or none"


def test_a_parse_serves_every_warehouse_but_not_another_name() -> None:
    one, other = said()["keys"]  # type: ignore[misc]
    assert one == other
    assert ["database", "warehouse"] in one and ["schema", "main"] in one


def test_no_model_asks_for_what_the_parse_leaves_out() -> None:
    """The connection's path and options, which SQL could read as `target.path`, are not part of what is parsed.

    raw_tables.sql asks where Spark's raw tables are once the run has begun, and returns at once while dbt parses;
    which providers are enabled is asked for when dbt runs, and never when it parses.
    """
    asked_late = "execute and provider in env_var('HEALTH_SOURCES', '')"
    files = [path for path in Path(PROJECT_ROOT, "dbt_project").rglob("*.sql") if "target" not in path.parts]
    asking = [
        path.name
        for path in files
        if "target.path" in (text := path.read_text().replace(asked_late, "")) or "env_var(" in text
    ]
    assert len(files) > 100
    assert asking == ["raw_tables.sql"]


def test_a_callback_hears_every_event_and_columns_get_the_types_they_always_got() -> None:
    found = said()
    assert found["heard"] == ["debug"]
    assert found["testers"] is True
    guessed = ["Decimal", "date", "str", "Decimal", "NoneType"]
    assert found["typed"] == [guessed, ["str", *guessed[1:]], guessed]
