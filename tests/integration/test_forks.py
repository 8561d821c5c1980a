"""A handler forks: the child has none of the parent's connections, and the parent's clients notice nothing."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import client_context, make_certificate
from tests.support.ports import free_port
from tests.support.processes import ROOT, Program, python_command
from tests.support.raw import Connection, PollingSession, WebSocketSession, head
from tests.support.waiting import wait_until

WAYS = ["os.fork", "unpatched fork", "multiprocessing", "thread", "os thread"]
CASES = [*(("plain", way) for way in WAYS), ("tls", "os.fork"), ("tls", "os thread")]
LIFETIME = 0.5
"""Seconds that a child lives, with gevent's loop running."""


class Server:
    """The application in a process of its own, with or without TLS."""

    def __init__(self, directory: Path, context: ssl.SSLContext | None, **settings: Any) -> None:
        self.port = free_port()
        self.context = context
        self.directory = directory
        app = ROOT / "tests" / "apps" / "forks_app.py"
        self.program = Program(python_command(app, self.port, json.dumps(settings)), directory / "forks.log")
        self.program.wait_for_port(self.port)
        self._children = 0

    def fork(self, session: WebSocketSession, how: str, lifetime: float = LIFETIME) -> Path:
        """Have a handler fork; give the name of the file that the child writes at its end."""
        self._children += 1
        path = self.directory / f"child-{self._children}.json"
        session.emit("fork", how, str(path), lifetime, ack=1)
        assert session.receive_ack(1) == [True]
        return path

    def connect(self, **options: Any) -> WebSocketSession:
        return WebSocketSession(self.port, context=self.context, **options)

    def poll(self) -> PollingSession:
        return PollingSession(self.port, context=self.context)

    def open(self) -> Connection:
        return Connection(self.port, context=self.context)


@pytest.fixture(params=["plain", "tls"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    context, settings = None, {}
    if request.param == "tls":
        certificate, key = make_certificate(tmp_path)
        context, settings = client_context(certificate), {"certfile": certificate, "keyfile": key}
    running = Server(tmp_path, context, **settings)
    yield running
    assert running.program.running
    running.program.stop()
    assert running.program.output() == ""


def told(path: Path) -> dict[str, Any]:
    """Wait for the end of a child; return what it saw."""
    wait_until(path.exists, what="the child's report")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(("server", "how"), CASES, indirect=["server"])
def test_a_child_has_no_connections_and_its_helpers_raise(server: Server, how: str) -> None:
    with server.connect() as session, server.poll() as polling, polling.begin_poll() as poll:
        assert session.echo(1) == 1
        assert polling.is_held(poll)
        found = told(server.fork(session, how, 0.1))
        assert found["sockets"] == []
        assert found["connected"] is False
        for name in ("send", "broadcast", "broadcast_channel", "emit", "clients"):
            assert found[name].startswith("UsageError: This process was forked from a running server"), found[name]
        assert found["socket.send"] == found["socket.emit"] == "False"
        assert found["socket.call"].startswith("SocketClosed: ")
        assert found["socket.broadcast"] == "0"
        assert found["handled in the child"] == []
        assert session.echo(2) == 2


@pytest.mark.parametrize(("server", "how"), CASES, indirect=["server"])
def test_the_parents_clients_are_served_by_the_parent_alone(server: Server, how: str) -> None:
    pid = str(server.program.pid)
    with server.connect() as forking, server.connect() as websocket, server.poll() as polling, server.open() as kept:
        held = polling.begin_poll()
        assert polling.is_held(held)
        assert kept.request("GET", "/pid").text == pid
        path = server.fork(forking, how)
        number = 0
        while not path.exists():
            number += 1
            assert websocket.echo(number) == number
            assert forking.echo(number) == number
            assert kept.request("GET", "/pid").text == pid
            with server.open() as fresh:
                assert fresh.request("GET", "/pid").text == pid
        polling.emit("echo", "to the poll of before the fork")
        assert held.read_response().text == '42["echo","to the poll of before the fork"]'
        assert polling.echo("on") == "on"
        assert number  # requests were served while the child lived
        assert told(path)["handled in the child"] == []


@pytest.mark.parametrize(("server", "how"), CASES, indirect=["server"])
def test_what_was_half_read_or_half_written_at_the_fork_goes_on(server: Server, how: str) -> None:
    pid = str(server.program.pid)
    with server.connect() as forking, server.open() as uploading, server.open() as beginning, server.open() as waiting:
        uploading.send(head("POST", "/upload", {"Content-Length": 300_000}) + b"x" * 100_000)
        beginning.send(b"GET /pid HTT")
        waiting.send_request("GET", "/slow")
        assert forking.echo("all of that has come") == "all of that has come"
        path = server.fork(forking, how)
        uploading.send(b"x" * 100_000)
        beginning.send(b"P/1.1\r\nHost: x\r\n\r\n")
        assert beginning.read_response().text == pid
        assert waiting.read_response().text == pid
        uploading.send(b"x" * 100_000)
        assert uploading.read_response().text == f"{pid} 300000"
        told(path)


def test_the_parent_closes_connections_although_a_child_lives(server: Server) -> None:
    with server.connect() as forking, server.connect() as other, server.open() as http:
        assert http.request("GET", "/pid").status == 200
        path = server.fork(forking, "os.fork", lifetime=3)
        other.emit("disconnect me")
        assert other.next_packet() == "41"
        other.read_close_and_end()  # the child holds no copy that would keep it open
        assert http.request("GET", "/pid", headers={"Connection": "close"}).closes
        assert http.is_closed_by_server()
        assert not path.exists()


def test_a_connection_that_is_closing_at_the_fork_is_left_alone(server: Server) -> None:
    with server.connect() as forking, server.connect() as closing:
        closing.emit("disconnect me")
        assert closing.next_packet() == "41"
        assert closing.read_close()[0] == 1000
        # The server waits for our close frame now.
        found = told(server.fork(forking, "os.fork", 0.2))
        assert found["sockets"] == []


def test_events_that_wait_at_the_fork_are_handled_once(server: Server) -> None:
    notes = server.directory / "notes"
    sessions = [server.connect() for _ in range(20)]
    try:
        for session in sessions:
            assert session.echo("there") == "there"
        paths = []
        for round_ in range(5):
            for session in sessions[1:]:
                session.emit("note later", str(notes))
            paths.append(server.fork(sessions[0], WAYS[round_ % len(WAYS)], 0.3))
        for path in paths:
            told(path)
        for session in sessions:
            assert session.echo("all handled") == "all handled"
        assert notes.read_text().split() == [str(server.program.pid)] * 5 * 19
    finally:
        for session in sessions:
            session.close()


def test_children_of_children_are_on_their_own_too(server: Server) -> None:
    with server.connect() as session:
        for _ in range(3):
            paths = [server.fork(session, how, 0.1) for how in WAYS]
            for path in paths:
                assert told(path)["sockets"] == []
        assert session.echo("on") == "on"


def test_a_process_that_forks_before_it_serves_is_not_taken_for_a_child(tmp_path: Path) -> None:
    port = free_port()
    app = ROOT / "tests" / "apps" / "preforking_app.py"
    with Program(python_command(app, port), tmp_path / "preforking.log") as program:
        program.wait_for_port(port)
        with WebSocketSession(port) as session:
            assert session.echo("from the worker") == "from the worker"
            session.emit("helpers", ack=1)
            assert session.receive() == ["message", "out of band"]
            assert session.receive_ack(1) == [1]
