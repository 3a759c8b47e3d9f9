"""`health ui`: Dagster's web server and daemon for one company, on 127.0.0.1."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from typing import NoReturn

from dagster_project.components.instance import prepare_instance
from dagster_project.settings import PROJECT_ROOT, Settings

HOST = "127.0.0.1"  # the UI has no login: whoever reaches it may start and stop runs


def serve(settings: Settings, port: int) -> NoReturn:
    """Become `dagster dev`: web server, daemon and one code server, until Ctrl-C or SIGTERM ends all three.

    The code server is shared. A daemon that is started by itself loads the code location anew every minute or so,
    which takes 7 processor seconds and 300 MB each time.
    Exits with 3 and a sentence when this company's UI is running already, or the port is taken.
    """
    prepare_instance(settings)
    problem = _hold_lock(settings) or _port_taken(port)
    if problem:
        print(problem, file=sys.stderr)
        sys.exit(3)
    print(f"Dagster UI of {settings.company}: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    # `health ui &` in a script starts with SIGINT ignored, and Dagster would then ignore SIGTERM as well.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.chdir(PROJECT_ROOT)
    os.execv(sys.executable, command(port))


def command(port: int) -> list[str]:
    """The program that serves, with its arguments."""
    workspace = os.fspath(PROJECT_ROOT / "workspace.yaml")
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]  # by `dg dev`, of a package that we don't install
    return [sys.executable, *quiet, "-m", "dagster", "dev", "-w", workspace, "-h", HOST, "-p", str(port)]


def _hold_lock(settings: Settings) -> str | None:
    """Hold the company's UI lock until this process ends: two daemons on one instance would start runs twice."""
    lock = os.open(settings.home / "ui.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode() or "unknown"
        return f"The UI of {settings.company} is running already (process {holder}): use that one, or end it first."
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.set_inheritable(lock, True)  # through exec; Dagster's own child processes don't get it
    return None


def _port_taken(port: int) -> str | None:
    """Dagster's web server would share the port with the program that has it, and each get some of the requests."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) != 0:
            return None
    return f"Port {port} is taken by another program: choose another, `health ui --port {port + 1}`, or end that one."
