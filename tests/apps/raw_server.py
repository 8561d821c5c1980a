"""Serve ``raw_app.py`` for tests with badly behaved clients, and a well-behaved one that must not notice them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import gevent

from tests.support.ports import free_port
from tests.support.processes import Program, python_command
from tests.support.raw import Connection, PollingSession, Session, WebSocketSession
from tests.support.waiting import wait_until

APP = Path(__file__).parent / "raw_app.py"
PATIENCE = 10.0
"""Seconds that a bystander may wait for its echo, where much else runs. A defect holds it up without an end."""

Record = tuple[str, str, str, str | None]
"""Logger, level, text, and the name of the exception whose traceback goes with it."""


def is_no_limit(record: Record) -> bool:
    """Tell whether a record is about something else than a limit that struck."""
    return record[1] != "WARNING" or " exceeded " not in record[2]


class RawServer:
    """The application in a process of its own. ``settings`` are those of `SocketIOServer`; with a ``context``, TLS is
    spoken.
    """

    app = APP

    def __init__(self, directory: Path, context: ssl.SSLContext | None = None, **settings: Any) -> None:
        self.port = free_port()
        self.context = context
        self._start = 0
        command = python_command(self.app, self.port, json.dumps(settings))
        self.program = Program(command, directory / f"raw-{self.port}.log")
        try:
            self.program.wait_for_port(self.port)
        except BaseException:
            self.program.stop()
            raise

    def __enter__(self) -> RawServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.program.stop()

    def ask_for(self, path: str, **query: object) -> str:
        """Return the text of a page."""
        with Connection(self.port, context=self.context) as connection:
            response = connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
        assert response.status == 200, response
        return response.text

    def fetch(self, path: str, **query: object) -> Any:
        """Return the decoded JSON of a page."""
        return json.loads(self.ask_for(path, **query))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.fetch("/state")
        return found

    def seen(self, what: str) -> int:
        """Tell how often something happened in the handlers."""
        found: dict[str, int] = self.fetch("/seen")
        return found.get(what, 0)

    def mark(self) -> None:
        """From now on, ``records`` gives what is logged from now on."""
        self._start += len(self.records())

    def records(self) -> list[Record]:
        """Return the log records of level INFO and above since the last mark."""
        return [tuple(record) for record in self.fetch("/records", start=self._start)]

    def wait_for_records(self, count: int = 1, timeout: float = 10.0) -> list[Record]:
        """Wait until so many records are there, and all that is to follow from the same cause; return all."""
        wait_until(lambda: len(self.records()) >= count, timeout, f"{count} log records")
        self.records()  # another round through the server's loop, in which a superfluous record would come
        return self.records()

    def logged(self, timeout: float = 10.0) -> tuple[str, str]:
        """Wait for the one record since the mark; return its logger (without the package) and its text. The line about
        a limit, where one struck, is not counted.
        """
        wait_until(lambda: any(map(is_no_limit, self.records())), timeout, "a log record")
        records = list(filter(is_no_limit, self.wait_for_records(1)))
        assert len(records) == 1, records
        name, level, text, error = records[0]
        assert (level, error) == ("INFO", None), records
        return name.removeprefix("webpy_socketio."), text


class Bystander:
    """A client that sends numbers and gets them back, in order, whatever others do meanwhile."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.echoed = 0
        self.slowest = 0.0
        self._stopping = False
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while not self._stopping:
            began = monotonic()
            result = self.session.echo(self.echoed)
            assert result == self.echoed, f"{result} in place of {self.echoed}"
            self.echoed += 1
            self.slowest = max(self.slowest, monotonic() - began)
            gevent.sleep(0.005)

    def kill(self) -> None:
        """End it without a look."""
        self._greenlet.kill()

    def stop(self) -> None:
        """Make sure that it was served all the time, and still is."""
        before = self.echoed
        wait_until(lambda: self._greenlet.dead or self.echoed > before, what="another echo for a bystander")
        self._stopping = True
        self._greenlet.get(timeout=PATIENCE)  # raises what went wrong
        assert self.echoed > 0
        assert self.slowest < PATIENCE, f"an echo took {self.slowest:.1f} s"


@contextmanager
def bystanders(server: RawServer) -> Iterator[None]:
    """Have one client on each transport echo during the block; what the server prints meanwhile is an error.

    The log's mark is set when they are there, so that only what happens in the block is counted.
    """
    printed = server.program.output()
    context = server.context
    with (
        WebSocketSession(server.port, context=context) as websocket,
        PollingSession(server.port, context=context) as polling,
    ):
        watching = [Bystander(websocket), Bystander(polling)]
        try:
            server.mark()
            yield
            for bystander in watching:
                bystander.stop()
        finally:
            for bystander in watching:
                bystander.kill()
        websocket.send_packet("1")
        polling.send_packet("1")
    assert server.program.running
    assert server.program.output() == printed
