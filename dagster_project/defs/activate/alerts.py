"""Accounts over a threshold, who hears of it, and who hears that a run failed or is missing."""

import dagster as dg

from dagster_project.components.alert_assets import (
    breaches_asset,
    failure_sensor,
    lateness_sensor,
    messages_asset,
)
from dagster_project.components.common import settings


@dg.definitions
def alerts() -> dg.Definitions:
    """Breaches opened on the newest day and those still open; then the messages about them."""
    return dg.Definitions(
        assets=[breaches_asset(settings()), messages_asset(settings())],
        sensors=[failure_sensor(settings()), lateness_sensor(settings())],
    )
