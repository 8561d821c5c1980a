"""Patch the process that runs the tests, before anything else is imported, and hold what many tests use."""

from gevent import monkey

monkey.patch_all()  # before the other imports: what they bind at import would stay unpatched

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import node, processes
from tests.support.browser import find_chromium
from tests.support.leftovers import pytest_unconfigure
from tests.support.ports import free_port as find_free_port
from tests.support.time_limits import pytest_timeout_cancel_timer, pytest_timeout_set_timer

pytest_plugins = ["pytester"]

__all__ = ["pytest_timeout_cancel_timer", "pytest_timeout_set_timer", "pytest_unconfigure"]

MARKED_FIXTURES = {"chromium": "browser", "run_node": "npm"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a browser or Node by the fixtures that they use, for ``make unit`` to leave out."""
    for item in items:
        for fixture, marker in MARKED_FIXTURES.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    return find_free_port()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., processes.Program]]:
    """A function that starts programs, as :class:`tests.support.processes.Program` does, and ends them after the test.

    The log file is chosen: ``start(command, env=…, cwd=…)``.
    """
    started: list[processes.Program] = []

    def start_program(command: Any, **options: Any) -> processes.Program:
        program = processes.Program(command, tmp_path / f"program-{len(started)}.log", **options)
        started.append(program)
        return program

    yield start_program
    for program in reversed(started):
        program.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser; its absence is an error, never a skip."""
    return find_chromium()


@pytest.fixture
def run_node(tmp_path: Path) -> Callable[..., Any]:
    """A function that runs a script of ``tests/js`` to its end: ``run_node("client.js", url, timeout=20)``."""

    def run(script: str | Path, *arguments: object, timeout: float = node.RUN_TIMEOUT) -> Any:
        return node.run_node(script, *arguments, log=tmp_path / f"{Path(script).stem}.log", timeout=timeout)

    return run
