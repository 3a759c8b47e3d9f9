"""One run of the command line at a time, and what a killed one leaves behind in Dagster put right."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.settings import Settings

PID_TAG = "health/pid"


class RunUnderWayError(Exception):
    """Another `health run` of this company is at work."""


@contextmanager
def only_run(settings: Settings) -> Iterator[None]:
    """Hold the company's run lock. The kernel lets go of it when the process ends, however it ends.

    Raises RunUnderWayError, which names the process that holds it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RunUnderWayError(
                f"another run of {settings.company} is under way (process {lock.read().strip() or 'unknown'}); "
                "wait for it to end"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def release_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the command line's unfinished runs as failed and free the pool slots they held; call it under `only_run`.

    Whoever holds the lock knows that no such run is alive. After a SIGKILL nobody else frees the slots unless the
    daemon runs, and the next run would wait for ever. Runs of the daemon carry no process id: run monitoring looks
    after those.
    Returns the ids of the runs.
    """
    unfinished = instance.get_runs(
        filters=dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
        )
    )
    dead = [run for run in unfinished if PID_TAG in run.tags]
    for run in dead:
        instance.report_run_failed(
            run, message="The process of this run is gone: it was killed or the machine stopped."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]
