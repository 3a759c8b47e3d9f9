"""Delivers what is due in a folder, as a run does: a process that a test kills.

python tests/acceptance/send_all.py FOLDER    # alerts.json says how; the addresses are in the environment
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from dagster_project.destinations.alert_book import open_book
from dagster_project.destinations.delivery import deliver
from dagster_project.scorecards.delivery import Delivery

folder = Path(sys.argv[1])
delivery = Delivery.model_validate(json.loads((folder / "alerts.json").read_text()))
with open_book(folder / "alerts" / "alerts.sqlite") as book:
    print("begun", flush=True)
    done = deliver(folder / "mart.duckdb", delivery, book, datetime.now)
print(json.dumps({"sent": sum(done.sent.values()), "stuck": len(done.stuck)}), flush=True)
