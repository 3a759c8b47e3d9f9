"""One process and all that it starts, measured from outside."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY = 0.05  # seconds
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figures:
    """Of one run: seconds by the clock and of processors, and megabytes of all its processes together at the peak."""

    seconds: float
    processor_seconds: float
    megabytes: float


class FailedError(Exception):
    """The process ended with an error; the message names its log."""


def measure(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Figures:
    """Run a command to its end.

    Memory is the sum of what the processes of the tree hold at one moment, looked at every 0.05 s: the kernel's own
    figure at the end is that of the largest process alone, and a child begins with the peak of whoever started it.
    Processor seconds are the kernel's, or the sum of what was seen of each process: one that nobody waits for (Spark's
    Java) is missing in the former. Raises FailedError.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started, peak = time.perf_counter(), 0.0
    used: dict[int, float] = {}
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=dict(environ), stdout=stream, stderr=stream)
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            held = 0
            for pid in _tree(process.pid):
                memory, ticks = _looked_at(pid)
                held += memory
                used[pid] = max(used.get(pid, 0.0), ticks)
            peak = max(peak, held)
            time.sleep(LOOK_EVERY)
    seconds = time.perf_counter() - started
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"{' '.join(command[:4])} ... failed, see {log}")
    return Figures(seconds, max(usage.ru_utime + usage.ru_stime, sum(used.values())), peak / 1e6)


def _tree(pid: int) -> list[int]:
    """The process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in children.read_text().split()]
            except OSError:  # gone meanwhile
                continue
    return found


def _looked_at(pid: int) -> tuple[int, float]:
    """Bytes in memory and processor seconds so far of one process; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0.0
    return int(pages) * _PAGE, (int(fields[11]) + int(fields[12])) / _TICKS
