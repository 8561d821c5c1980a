"""Run the Node programs of ``tests/js``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, Program, ProgramFailed

SCRIPTS = ROOT / "tests" / "js"
MODULES = SCRIPTS / "node_modules"

RUN_TIMEOUT = 30.0


class MissingPrograms(AssertionError):
    """Something that the tests need is not installed; the text says what, and which command brings it."""


def node() -> str:
    """Return the path of Node, after a look at whether the packages of the tests are installed."""
    found = shutil.which("node")
    if found is None:
        raise MissingPrograms("Node.js is missing: install the Debian package nodejs")
    if not MODULES.is_dir():
        raise MissingPrograms("the npm packages of the tests are missing: run `make npm`")
    return found


def node_environment() -> dict[str, str]:
    """Return the variables with which any script, wherever it lies, finds the packages of ``tests/js``."""
    return {"NODE_PATH": str(MODULES)}


def node_command(script: str | Path, *arguments: object) -> list[str]:
    """Return the command for a script of ``tests/js`` (or, as an absolute path, any other)."""
    return [node(), str(SCRIPTS / script), *map(str, arguments)]


def start_node(script: str | Path, *arguments: object, log: Path) -> Program:
    """Start a script that goes on running."""
    return Program(node_command(script, *arguments), log, env=node_environment())


def run_node(script: str | Path, *arguments: object, log: Path, timeout: float = RUN_TIMEOUT) -> Any:
    """Run a script to its end and return the last line that it printed on stdout or stderr, parsed as JSON.

    Args:
        script: a file name in ``tests/js``, or an absolute path.
        arguments: of the script, as text.
        log: the file for its output, which an error shows.
        timeout: seconds for the whole run.

    Raises:
        ProgramFailed: it failed, was late, or its last line is not JSON.
    """
    with start_node(script, *arguments, log=log) as program:
        if program.wait(timeout) != 0:
            raise program.failure("failed")
        lines = program.output().strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            raise program.failure("did not end with a line of JSON") from None


__all__ = ["MissingPrograms", "ProgramFailed", "node", "node_command", "node_environment", "run_node", "start_node"]
