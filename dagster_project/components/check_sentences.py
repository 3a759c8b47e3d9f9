"""What a dbt test promises, as a sentence for the person who sees it fail in the Dagster UI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STOPS, WARNS = "If it fails, nothing is published", "If it fails, the run goes on"
DATA_FAULT = "look for the rows in the table, then in the input or the join they came from."
LOGIC_FAULT = "the fault is in the models or the scorecard, not in the data. SQL: dbt_project/"


def check_sentence(dbt_test: Mapping[str, Any]) -> str:
    """What holds, and what to do when it does not. `dbt_test` is the test's entry in dbt's manifest."""
    promise = str(dbt_test.get("description") or "") or _generic(dbt_test) or _first_comment(dbt_test)
    outcome = WARNS if str(dbt_test.get("config", {}).get("severity")).lower() == "warn" else STOPS
    if dbt_test.get("test_metadata"):
        return f"{promise} {outcome}: {DATA_FAULT}"
    return f"{promise} {outcome}: {LOGIC_FAULT}{dbt_test['original_file_path']}"


def _generic(dbt_test: Mapping[str, Any]) -> str:
    """The promise of a test that takes arguments; the bare name of one that nobody has put into words."""
    test = dbt_test.get("test_metadata") or {}
    given = test.get("kwargs", {})
    column = given.get("column_name", "")
    match test.get("name"):
        case "unique_together":
            never = given.get("never_missing")
            more = f" {_listed(never)} {'is' if len(never) == 1 else 'are'} never missing." if never else ""
            return f"One row for each {_listed(given['columns'])}: none twice, none missing.{more}"
        case "accepted_values":
            *most, last = (f"`{value}`" for value in given["values"])
            return f"`{column}`, where it is given, is {', '.join(most) + ' or ' if most else ''}{last}."
    return f"{test['name']} holds." if test else ""


def _listed(names: list[str]) -> str:
    *most, last = (f"`{name}`" for name in names)
    return f"{', '.join(most)} and {last}" if most else last


def _first_comment(dbt_test: Mapping[str, Any]) -> str:
    """The comment at the top of a test's own SQL file, which says what the test promises."""
    lines = []
    for line in str(dbt_test.get("raw_code") or "").splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)
