"""The files connector's entities, and what it set aside."""

import dagster as dg

from dagster_project.components.common import settings
from dagster_project.components.file_assets import file_assets
from dagster_project.components.quarantine import quarantine_asset


@dg.definitions
def files() -> dg.Definitions:
    """One asset an entity, and the quarantine."""
    return dg.Definitions(assets=[*file_assets(settings()), quarantine_asset(settings())])
