"""What readers open."""

import dagster as dg

from dagster_project.components.common import settings
from dagster_project.components.results import export_assets, mart_asset, page_asset


@dg.definitions
def results() -> dg.Definitions:
    """The published mart first; exports and the page are made from it."""
    return dg.Definitions(assets=[mart_asset(settings()), page_asset(settings()), *export_assets(settings())])
