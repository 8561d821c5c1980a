"""A server that can be stopped and started again at the same address, and pages in a real browser that talk to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.example.browser import Browser, Page
from tests.support.ports import HOST, free_port
from tests.support.processes import Program, python_command
from tests.support.waiting import wait_until

APP = Path(__file__).resolve().parent / "app.py"
TIMEOUT = 30.0  # seconds; the client reconnects within one to five, and the machine may be busy


class Server:
    """The application of these tests in a process of its own."""

    def __init__(self, directory: Path, options: dict[str, Any]) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._log = directory / f"server-{self.port}.log"
        self._command = python_command(APP, self.port, json.dumps(options))
        self._program: Program

    def start(self) -> None:
        self._program = Program(self._command, self._log)
        self._program.wait_for_port(self.port)

    def stop(self) -> None:
        self._program.stop()

    def kill(self) -> None:
        self._program.kill()

    def state(self) -> Any:
        return requests.get(self.url + "/state", timeout=TIMEOUT).json()

    def asked(self) -> list[str]:
        """List the channels for which clients asked since the start, in order."""
        found: list[str] = self.state()["asked"]
        return found

    def clients(self) -> int:
        """Count the sockets that are connected."""
        count: int = self.state()["clients"]
        return count


class Script:
    """One page and the JavaScript that a test runs in it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run(self, script: str) -> None:
        """Run statements; what they declare is global in the page."""
        self.page.evaluate(script + "\nundefined")

    def value(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        self.page.wait(condition, TIMEOUT)

    def problems(self) -> list[str]:
        """List what the page threw, what was not loaded, and what its security policy refused."""
        return self.page.problems()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with Browser(chromium) as started:
        yield started


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str], Script]]:
    """Open a page at an address, with cookies of its own."""
    yield lambda url: Script(browser.open(url))
    browser.close_pages()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server with options of one's own."""
    started: list[Server] = []

    def start(**options: Any) -> Server:
        server = Server(tmp_path, options)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


def wait_for(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, TIMEOUT, what)
