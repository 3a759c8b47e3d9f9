"""The dbt project."""

import dagster as dg

from dagster_project.components.common import WAREHOUSE_POOL, settings
from dagster_project.components.dagster_dbt_alone import dbt_assets
from dagster_project.components.dbt_models import DBT_PROJECT, Dbt, Translator, build_models, dbt_resource, manifest_of


@dg.definitions
def models() -> dg.Definitions:
    """Every model and its tests; one dbt invocation a run."""

    @dbt_assets(
        manifest=manifest_of(settings()),
        project=DBT_PROJECT,
        dagster_dbt_translator=Translator(),
        name="dbt_models",
        pool=WAREHOUSE_POOL,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def dbt_models(context: dg.AssetExecutionContext, dbt: Dbt):  # type: ignore[no-untyped-def]
        yield from build_models(context, dbt, settings())

    return dg.Definitions(assets=[dbt_models], resources={"dbt": dbt_resource(settings())})
