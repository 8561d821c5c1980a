"""A client that speaks wire text straight into a hub: no network, no frames, no waiting for a kernel.

Its session is real, and so is everything behind it; only the carrier is a fake that writes down what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import gevent
from gevent.event import Event

from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request
from webpy_socketio.hub.socket_core import SocketCore
from webpy_socketio.transport.websocket import WebSocketCarrier

#: Seconds that something may take that should happen at once.
PATIENCE = 5.0
#: Far from the ack ids that tests use themselves.
_marks = count(900_000)

ENVIRON = {"REMOTE_ADDR": "192.0.2.7", "PATH_INFO": "/socket.io/", "QUERY_STRING": "EIO=4&transport=websocket"}


class RecordingCarrier(WebSocketCarrier):
    """Carries a session into a list.

    ``is_blocked``: the client takes nothing, so packets stay in the outbox. ``is_reading``: whether the hub wants to
    hear more. ``ended``: None, ``"aborted"``, or the code and reason with which the hub closed.
    """

    def __init__(self) -> None:
        self.outbox: Any = None
        self.receiver: Any = None
        self.sent: list[str | bytes] = []
        self.is_blocked = False
        self.is_reading = False
        self.is_lost = False
        self.ended: str | tuple[int, str] | None = None
        self.arrived = Event()

    def start(self, receiver: Any, early_data: bytes = b"") -> None:
        assert early_data == b""
        self.receiver = receiver
        self.is_reading = True

    def pause(self) -> None:
        self.is_reading = False

    def resume(self) -> None:
        self.is_reading = True

    def is_gone(self) -> bool:
        return self.is_lost

    def wake(self) -> None:
        self.outbox.set_stuck(self.is_blocked)
        if self.is_blocked or not self.outbox.packets:
            return
        for packet in self.outbox.take_packets(self.outbox.size, len(self.outbox.packets) * 100):
            self.sent += [packet.text.decode(), *(packet.attachments or ())]
        self.arrived.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.wake()
        self.ended = self.ended or (code, reason)
        self.arrived.set()

    def abort(self, *, in_child: bool = False) -> None:
        self.ended = self.ended or "aborted"
        self.arrived.set()


class DummyClient:
    """One client of ``hub``: ``say`` what it sends, look at what it ``heard``."""

    def __init__(self, hub: Hub, environ: Mapping[str, Any] = ENVIRON, *, revision: int = 4) -> None:
        self.hub = hub
        self.carrier = RecordingCarrier()
        self.client: Any = hub.open_client(Request(environ), upgraded=True, revision=revision)
        self.client.start_websocket(self.carrier, b"")
        self.handshake: dict[str, Any] = json.loads(str(self.carrier.sent.pop(0))[1:])
        self._ids: dict[str, str] = {}

    # -- speaking -------------------------------------------------------------------------------------------------

    def say(self, *packets: str | bytes) -> None:
        """Send packets of the engine, in one read; handlers that do not wait have run when this returns."""
        self._in_loop(self._deliver, packets)

    def _deliver(self, packets: tuple[str | bytes, ...]) -> None:
        for packet in packets:
            self.carrier.receiver.receive_message(self.carrier, packet)

    def leave(self, code: int = 1006) -> None:
        """Close the connection, as the peer's side does."""
        self._in_loop(self._lose, code)

    def _lose(self, code: int) -> None:
        self.carrier.receiver.receive_close(self.carrier, code, "", False)

    def _in_loop(self, function: Callable[[Any], None], argument: object) -> None:
        done = Event()

        def run() -> None:
            try:
                function(argument)
            finally:
                done.set()

        gevent.get_hub().loop.run_callback(run)
        assert done.wait(PATIENCE), "the loop did not take what a client said"

    def unblock(self) -> None:
        """Take what waits, and all that follows."""
        self.carrier.is_blocked = False
        self.carrier.wake()

    # -- listening ------------------------------------------------------------------------------------------------

    def wait_for(self, wanted: str | Callable[[str | bytes], bool]) -> str | bytes:
        """Wait until a packet has come that is, or passes as, ``wanted``; it stays among what was heard."""
        fits = (lambda packet: packet == wanted) if isinstance(wanted, str) else wanted
        while True:
            for packet in self.carrier.sent:
                if fits(packet):
                    return packet
            self.carrier.arrived.clear()
            if not self.carrier.arrived.wait(PATIENCE):
                raise AssertionError(f"{wanted!r} did not come, but {self.carrier.sent!r}")

    def heard(self, namespace: str = "/") -> list[str | bytes]:
        """Give what has come since the last look, after all that was said in a namespace has been dealt with.

        The hub's own answer to a mark behind it all tells that.
        """
        mark, prefix = next(_marks), "" if namespace == "/" else f"{namespace},"
        self.say(f'42{prefix}{mark}["__unsubscribe__","-"]')
        answer = f"43{prefix}{mark}[false]"
        self.wait_for(answer)
        self.carrier.sent.remove(answer)
        return self.take()

    def take(self) -> list[str | bytes]:
        """Give what has come since the last look."""
        sent, self.carrier.sent = self.carrier.sent, []
        return sent

    def wait_for_end(self) -> str | tuple[int, str]:
        """Wait until the hub has closed the connection; give how."""
        while self.carrier.ended is None:
            self.carrier.arrived.clear()
            assert self.carrier.arrived.wait(PATIENCE), "the hub did not close"
        return self.carrier.ended

    # -- in Socket.IO's words -------------------------------------------------------------------------------------

    def join(self, namespace: str = "/", auth: str = "") -> SocketCore:
        """Join a namespace and give the socket that handlers get; the reply does not stay among what was heard."""
        prefix = "40" if namespace == "/" else f"40{namespace},"
        self.say(prefix + auth)
        reply = self.wait_for(lambda packet: str(packet).startswith(prefix + '{"sid":'))
        self.carrier.sent.remove(reply)
        self._ids[namespace] = json.loads(str(reply)[len(prefix) :])["sid"]
        return self.socket(namespace)

    def socket(self, namespace: str = "/") -> SocketCore:
        """Give the socket of a namespace that was joined."""
        return self.hub.sockets(namespace)[self._ids[namespace]]

    def ask(self, event: str, *arguments: Any) -> list[Any]:
        """Send an event that wants an ack; give the ack's values. They do not stay among what was heard."""
        mark = next(_marks)
        self.say(f"42{mark}{json.dumps([event, *arguments])}")
        reply = self.wait_for(lambda packet: str(packet).startswith(f"43{mark}["))
        self.carrier.sent.remove(reply)
        values: list[Any] = json.loads(str(reply)[len(f"43{mark}") :])
        return values

    def subscribe(self, channel: str) -> bool:
        """Subscribe as clients do."""
        return self.ask("__subscribe__", channel) == [True]


def connected(hub: Hub, *channels: str) -> DummyClient:
    """Make a client that is in the namespace ``/`` and subscribed to ``channels``."""
    client = DummyClient(hub)
    client.join()
    for channel in channels:
        assert client.subscribe(channel)
    return client
