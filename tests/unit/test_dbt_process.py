"""What our process changes in dbt's own code: private names, which a new version of dbt may give another meaning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

SAID = """
import io, sys
from dbt_common.events import logger
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
dbt_process.share_what_is_parsed()
manager, told = EventManager(), io.StringIO()
log = Counting(logger.LoggerConfig(name="told", level=EventLevel.INFO, output_stream=told))
manager.loggers.append(log)
for level in (EventLevel.DEBUG, EventLevel.INFO, EventLevel.ERROR):
    manager.fire_event(Formatting(msg=f"said as {level.value}"), level=level)
manager.fire_event(PrintEvent(msg="printed"), level=EventLevel.DEBUG)

def keys(path, threads):
    return list(DuckDBCredentials(
        schema="main", path=path, database="warehouse", config_options={"threads": threads}
    ).connection_info())

import json
both = [keys("a/warehouse.duckdb", 1), keys("b/warehouse.duckdb", 2)]
print(json.dumps({"told": told.getvalue(), "made": made, "keys": both}))
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


def test_a_parse_serves_every_warehouse_but_not_another_name() -> None:
    one, other = said()["keys"]  # type: ignore[misc]
    assert one == other
    assert ["database", "warehouse"] in one and ["schema", "main"] in one


def test_no_model_asks_for_what_the_parse_leaves_out() -> None:
    """The connection's path and options, which SQL could read as `target.path`, are not part of what is parsed."""
    files = [path for path in Path(PROJECT_ROOT, "dbt_project").rglob("*.sql") if "target" not in path.parts]
    asking = [str(path) for path in files if "target.path" in (text := path.read_text()) or "env_var(" in text]
    assert len(files) > 100
    assert asking == []
