"""config/ as tables."""

import dagster as dg

from dagster_project.components.common import settings
from dagster_project.components.config_assets import config_assets


@dg.definitions
def configuration() -> dg.Definitions:
    """Scorecards, alert rules and settings."""
    return dg.Definitions(assets=[config_assets(settings())])
