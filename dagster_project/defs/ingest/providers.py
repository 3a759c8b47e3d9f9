"""The providers that are called over their API: those that config enables."""

import dagster as dg

from dagster_project.components.common import settings


@dg.definitions
def providers() -> dg.Definitions:
    """One load a provider; where none is enabled, not even their code is imported."""
    enabled = settings().sources.providers
    if not enabled:
        return dg.Definitions()
    from dagster_project.components.provider_assets import provider_assets

    return dg.Definitions(assets=[provider_assets(settings(), name) for name in enabled])
