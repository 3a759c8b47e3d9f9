"""Scores against what customers decided later."""

import dagster as dg

from dagster_project.components.backtest_assets import backtest_asset
from dagster_project.components.common import settings


@dg.definitions
def validation() -> dg.Definitions:
    """The backtest of the published mart."""
    return dg.Definitions(assets=[backtest_asset(settings())])
