"""`health ui`: Dagster's web server and daemon for one company, on 127.0.0.1."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from dagster_project.components.instance import prepare_instance
from dagster_project.settings import PROJECT_ROOT, Settings

HOST = "127.0.0.1"  # the UI has no login: whoever reaches it may start and stop runs


def serve(settings: Settings, port: int) -> NoReturn:
    """Become `dagster dev`: web server, daemon and one code server, until Ctrl-C or SIGTERM ends all three.

    The code server is shared. A daemon that is started by itself loads the code location anew every minute or so,
    which takes 7 processor seconds and 300 MB each time.
    """
    prepare_instance(settings)
    print(f"Dagster UI of {settings.company}: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    os.chdir(PROJECT_ROOT)
    os.execv(sys.executable, command(port))


def command(port: int) -> list[str]:
    """The program that serves, with its arguments."""
    workspace = os.fspath(PROJECT_ROOT / "workspace.yaml")
    quiet = ["-W", "ignore:Function `dev_command` is superseded"]  # by `dg dev`, of a package that we don't install
    return [sys.executable, *quiet, "-m", "dagster", "dev", "-w", workspace, "-h", HOST, "-p", str(port)]
