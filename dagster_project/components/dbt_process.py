"""dbt's command line, in a process that does not outlive the one that started it: `python -m ... build`.

When a run is killed, dbt would go on alone: it would hold the warehouse against the next run, and build on whatever
that run has changed meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)
STARTED_BY = "HEALTH_STARTED_BY"  # the process to die with


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends.

    Linux only. Elsewhere dbt stops at the first line it writes to the closed pipe, and the next run waits for that
    (warehouse.LOCK_WAIT_SECONDS).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    started_by = os.environ.get(STARTED_BY)
    if started_by and os.getppid() != int(started_by):  # it ended before the kernel was told
        sys.exit(1)


if __name__ == "__main__":
    die_with_parent()
    from dbt.cli.main import cli

    cli()
