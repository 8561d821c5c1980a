"""The site of ``deploy/nginx`` in a real nginx, between real clients and a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.apps.running import Served, serving
from tests.example.browser import Browser
from tests.support.nginx import SITE, Nginx, running_nginx
from tests.support.ports import HOST
from tests.support.raw import (
    POLLING,
    Connection,
    PollingSession,
    Response,
    WebSocket,
    WebSocketSession,
    ask,
    upgrade_headers,
)
from tests.support.waiting import wait_until
from webpy_socketio.config import Config

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
TIMEOUT = 10.0
AT_ONCE = 1.0
"""Seconds in which even a busy machine passes on what nobody holds back; the next ping is 25 s away."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving("behind_nginx.py", log_directory=tmp_path_factory.mktemp("app")) as served:
        yield served


@pytest.fixture(scope="module")
def nginx(app: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with running_nginx(tmp_path_factory.mktemp("nginx"), app.port) as running:
        yield running


def with_host(port: int, **others: object) -> dict[str, object]:
    """Give the header Host as a browser sends it, and others."""
    return {"Host": f"{HOST}:{port}", **others}


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize("mode", MODES)
def test_clients_talk_through_it(nginx: Nginx, mode: str) -> None:
    heard: list[Any] = []
    client = socketio.Client(handle_sigint=False, reconnection=False)
    client.on("shouted", heard.append)
    client.connect(nginx.url, transports=MODES[mode], wait_timeout=TIMEOUT)
    try:
        assert client.transport() == MODES[mode][-1]
        # Of 900,000 bytes, near the limit: nginx keeps such a body in a file, and such an answer in many buffers.
        for value in ("Grüße", b"\x00\xff" * 10, "x" * 900_000, b"\xfe" * 600_000):
            assert client.call("echo", (value,), timeout=TIMEOUT) == value
            client.emit("shout", value)
            wait_until(lambda value=value: heard[-1:] == [value], TIMEOUT)  # type: ignore[misc]  # its default is bound
    finally:
        client.disconnect()


def test_a_page_of_a_port_of_its_own_changes_to_a_websocket(nginx: Nginx, chromium: str) -> None:
    with Browser(chromium) as browser:
        page = browser.open(nginx.url + "/page")
        page.wait("socket.connected && socket.io.engine.transport.name === 'websocket'")
        page.evaluate("socket.emit('echo', location.port, (port) => { window.answer = port; })")
        page.wait(f"window.answer === '{nginx.port}'")
        assert page.problems() == []


@pytest.mark.parametrize("mode", MODES)
def test_clients_come_back_when_the_server_was_restarted(tmp_path: Path, mode: str) -> None:
    with serving("behind_nginx.py", log_directory=tmp_path) as app, running_nginx(tmp_path, app.port) as nginx:
        client = socketio.Client(handle_sigint=False, reconnection_delay=0.05, reconnection_delay_max=0.2)
        client.connect(nginx.url, transports=MODES[mode], wait_timeout=TIMEOUT)
        try:
            first = client.get_sid()
            app.program.kill()
            wait_until(lambda: not client.connected, TIMEOUT)
            with serving_again(app, tmp_path):
                wait_until(lambda: client.connected and client.get_sid() != first, TIMEOUT)
                assert client.call("echo", ("back",), timeout=TIMEOUT) == "back"
                client.disconnect()
        finally:
            client.disconnect()


def serving_again(app: Served, directory: Path) -> Any:
    """Run the application at the same port as before."""
    from tests.support.processes import running

    return running(app.program.command, directory / "again.log", ready=app.port, env={"PYTHONPATH": str(Path.cwd())})
