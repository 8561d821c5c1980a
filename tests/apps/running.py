"""Run the little applications of this directory as a user would: each in a process of its own, as a script."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import processes
from tests.support.ports import free_port

APPS = processes.ROOT / "tests" / "apps"
ENVIRONMENT = {"PYTHONPATH": str(processes.ROOT)}


@dataclass(frozen=True)
class Served:
    """An application that listens on a port of 127.0.0.1."""

    port: int
    program: processes.Program


@contextmanager
def serving(script: str, *arguments: str, log_directory: Path) -> Iterator[Served]:
    """Run a script, by its name here or its path, with a free port as its first argument until the block ends."""
    port = free_port()
    path = os.path.join(APPS, script)  # not a Path, which would tidy up what a user may type: ./app.py
    command = processes.python_command(path, port, *arguments)
    log = log_directory / f"{Path(script).stem}.log"
    with processes.running(command, log, ready=port, env=ENVIRONMENT) as program:
        yield Served(port, program)


def run_to_end(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script and return what it printed."""
    return subprocess.run(
        processes.python_command(APPS / script, *arguments),
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=processes.START_TIMEOUT,
    )
