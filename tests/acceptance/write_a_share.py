"""One of two processes that load files at the same time, on the Dagster instance that DAGSTER_HOME names.

python write_a_share.py RUN_ID: a run of all that loads, in this process; the pools are those of the instance.
"""

import sys

import dagster as dg

from dagster_project.definitions import defs
from dagster_project.defs.schedule import DAILY_JOB


def main(run_id: str) -> None:
    """Run it; raises where it fails."""
    definitions = defs()
    graph = definitions.resolve_asset_graph()
    loading = [key for key in graph.materializable_asset_keys if graph.get(key).group_name == "ingest"]
    job = definitions.resolve_job_def(DAILY_JOB)
    with dg.DagsterInstance.get() as instance:
        job.execute_in_process(instance=instance, asset_selection=loading, run_id=run_id)


if __name__ == "__main__":
    main(sys.argv[1])
