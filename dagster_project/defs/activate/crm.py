"""The CRMs that health is written back to: those that config turns on."""

import dagster as dg

from dagster_project.components.common import settings


@dg.definitions
def crm() -> dg.Definitions:
    """One asset a target; where none is on, not even their code is imported."""
    if not settings().write_back.enabled:
        return dg.Definitions()
    from dagster_project.components.crm_assets import crm_assets

    return dg.Definitions(assets=crm_assets(settings()))
