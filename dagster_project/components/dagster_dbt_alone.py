"""dagster-dbt without dbt-core in this process: dbt runs in one of its own.

dagster-dbt imports half of dbt for names that it has substitutes for, should dbt-core not be installed: 1.3 processor
seconds of each start. What the project uses of dagster-dbt is imported from here.
"""

import sys
from importlib import import_module

_DBT = "dbt.version"  # the first that dagster-dbt asks for; what cannot be imported is not installed

if "dagster_dbt" not in sys.modules and _DBT not in sys.modules:
    sys.modules[_DBT] = None  # type: ignore[assignment]
    try:
        import_module("dagster_dbt")
    finally:
        del sys.modules[_DBT]

from dagster_dbt import (  # noqa: E402
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_dbt.core.dbt_cli_invocation import PARTIAL_PARSE_FILE_NAME  # noqa: E402
from dagster_dbt.errors import DagsterDbtCliRuntimeError  # noqa: E402

__all__ = [
    "PARTIAL_PARSE_FILE_NAME",
    "DagsterDbtCliRuntimeError",
    "DagsterDbtTranslator",
    "DagsterDbtTranslatorSettings",
    "DbtCliInvocation",
    "DbtCliResource",
    "DbtProject",
    "dbt_assets",
]
