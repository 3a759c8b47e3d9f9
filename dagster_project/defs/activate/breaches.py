"""Accounts over a threshold."""

import dagster as dg

from dagster_project.components.common import settings
from dagster_project.components.results import breaches_asset


@dg.definitions
def breaches() -> dg.Definitions:
    """Breaches opened on the newest day, and those still open."""
    return dg.Definitions(assets=[breaches_asset(settings())])
