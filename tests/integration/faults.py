"""What the tests of faults share: their server, clients that must not notice, and a look at what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gevent

from tests.apps.raw_server import APP, RawServer, bystanders
from tests.support.raw import PollingSession, Session, WebSocketSession
from tests.support.waiting import wait_until

#: What must be as before when all is over; those of an application that ends with its clients.
COUNTED = (
    *("clients", "farewells", "addresses", "sockets", "channels", "members", "timed", "busy workers", "budget"),
    *("lines", "descriptors", "watchers", "greenlets"),
)
#: Seconds that what was left behind may take to be noticed.
NOTICED = 20.0


class FaultServer(RawServer):
    """The application with numbered messages, in a process of its own."""

    app = APP.parent / "faults_app.py"

    def log(self, name: str) -> dict[str, list[int]]:
        """Give what a client has put, by the ids of its sockets in their order."""
        found: dict[str, list[int]] = {}
        for socket_id, number in self.fetch("/log", name=name):
            found.setdefault(socket_id, []).append(number)
        return found

    def held(self) -> dict[str, Any]:
        state = self.state()
        return {name: state[name] for name in COUNTED}

    @property
    def kilobytes(self) -> int:
        """The process's resident memory, read from outside."""
        lines = Path(f"/proc/{self.program.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class Listener:
    """A client that is to hear all ticks, each once and in order."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.emit("join me", "ticks", ack=1)
        assert session.receive_ack(1) == [True]
        self.heard: list[int] = []
        self.greenlet = gevent.spawn(self._listen)

    def _listen(self) -> None:
        while True:
            name, number = self.session.receive()
            assert name == "tick"
            self.heard.append(number)

    def check(self, count: int) -> None:
        """Wait for the last tick, and look at all of them."""
        wait_until(lambda: self.greenlet.dead or len(self.heard) >= count, what=f"{count} ticks")
        assert self.heard == list(range(count)), self.greenlet.exception


@contextmanager
def undisturbed(server: FaultServer, listeners: int = 4) -> Iterator[None]:
    """Have echoing and listening clients during the block, and see that nothing is left of the others afterwards."""
    before = settled(server)
    with ExitStack() as stack:
        stack.enter_context(bystanders(server))
        kinds = [WebSocketSession, PollingSession] * (listeners // 2)
        listening = [Listener(stack.enter_context(kind(server.port))) for kind in kinds]
        server.fetch("/tick", on=1)
        try:
            yield
        finally:
            count = server.fetch("/tick", on=0)
        assert count > 0
        for listener in listening:
            listener.check(count)
            listener.greenlet.kill()
        for listener in listening:
            listener.session.send_packet("1")
    wait_until_only(server, before)


def settled(server: FaultServer) -> dict[str, Any]:
    """Give what the server holds when nobody is there, not even whoever has asked before."""

    def look() -> dict[str, Any] | None:
        held = server.held()
        return held if held["clients"] == held["timed"] == held["lines"] == 0 else None

    return wait_until(look, NOTICED)


def wait_until_only(server: FaultServer, before: dict[str, Any]) -> None:
    """Wait until the server holds what it held before, or tell what else there is."""
    try:
        wait_until(lambda: server.held() == before, NOTICED)
    except AssertionError:
        assert server.held() == before, "is left"
        raise


def last_line(output: str) -> Any:
    return json.loads(output.strip().splitlines()[-1])
