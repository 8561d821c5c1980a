"""Start and end the server that a suite is run against: our small apps, or Node's own server as the reference."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compliance.suites import Suite
from tests.support.ports import free_port
from tests.support.processes import module_command, running

REFERENCE = Path(__file__).parent / "reference_node.js"

PACKAGES: dict[str, tuple[str, ...]] = {"ours": (), "node": ("socket.io@4.8.4",)}
"""npm packages of the servers; Node's own socket.io is the reference that proves the harness."""


def install(server: str, folder: Path) -> None:
    """Put a server's script into the temporary copy of a suite, where it finds its packages."""
    if server == "node":
        # The suites are ES modules ("type": "module"), so a CommonJS script needs the other suffix there.
        shutil.copy(REFERENCE, folder / "reference_node.cjs")


def command(server: str, suite: Suite, folder: Path, port: int, heartbeat: tuple[int, int]) -> list[str]:
    """Return the command that serves a suite; ``heartbeat`` is the ping interval and time-out in milliseconds."""
    interval, timeout = (str(number) for number in heartbeat)
    if server == "node":
        script = str(folder / "reference_node.cjs")
        return ["node", script, str(port), suite.protocol, interval, timeout, str(suite.revision)]
    app = "engine_app" if suite.protocol == "engine.io" else "protocol_app"
    options = ("--port", port, "--interval", interval, "--timeout", timeout)
    return module_command(f"tests.compliance.{app}", *options)


@contextmanager
def serving(server: str, suite: Suite, folder: Path, heartbeat: tuple[int, int], log: Path) -> Iterator[int]:
    """Run a server on a free port of 127.0.0.1 until the block ends.

    Yields:
        the port, once the server accepts connections there.

    Raises:
        ProgramFailed: it did not start, or ended by itself while it was needed.
    """
    port = free_port()
    with running(command(server, suite, folder, port, heartbeat), log, ready=port) as program:
        yield port
        if not program.running:
            raise program.failure("ended during the suite")
