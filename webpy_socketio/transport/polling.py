"""HTTP long-polling: one session whose packets leave in the answers to GETs and come in by POSTs.

It knows payloads and which requests may be open; headers and status lines are the gateway's business. Packets that were
taken for an answer are kept until that is written: a client that left is noticed only then.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from gevent.event import Event

from ..wire.engine_packets import CLOSE, NOOP, encode_payload
from .outbox import Outbox, OutgoingPacket

__all__ = ["Poll", "PollingCarrier"]

#: python-socketio's client refuses more packets in one payload.
MAX_PIECES: Final = 16
#: The media type of a payload of text.
TEXT: Final = "text/plain; charset=UTF-8"
#: Seconds that a poll is held while an upgrade is under way (Node's server answers in the same rhythm).
PROBING_WAIT = 0.1


class State(Enum):
    """RELEASED: an upgrade is under way, polls are not held. RETIRED: it is done, the outbox belongs to another
    carrier. FAREWELL: we have closed, the client is yet to hear it.
    """

    OPEN = "open"
    RELEASED = "released"
    RETIRED = "retired"
    FAREWELL = "farewell"
    CLOSED = "closed"


class Connection(Protocol):
    """The connection of a request, as far as this module cares."""

    def is_gone(self) -> bool:
        """Tell whether the peer has closed it."""


class Poll:
    """One open GET. ``on_ready`` is called when there may be something to answer it with, while it is held."""

    __slots__ = ("connection", "is_held", "on_ready", "packets")

    def __init__(self, connection: Connection | None, on_ready: Callable[[], object] | None = None) -> None:
        self.connection = connection
        self.on_ready = on_ready
        self.is_held = False
        self.packets: list[OutgoingPacket] = []

    def is_gone(self) -> bool:
        """Tell whether nobody waits for the answer any more: the kernel would take it all the same."""
        return self.connection is not None and self.connection.is_gone()

    def wake(self) -> None:
        """Have the answer looked for, if it is waited for."""
        if self.is_held and self.on_ready is not None:
            self.on_ready()


class PollingCarrier:
    """The polling side of one session. ``max_payload`` (bytes) is what one answer holds at most, if more than one
    packet.
    """

    name = "polling"

    __slots__ = ("_max_payload", "_on_retired", "_poll", "_state", "outbox", "post_is_open")

    def __init__(self, outbox: Outbox, max_payload: int) -> None:
        self.outbox = outbox
        self._max_payload = max_payload
        self._state = State.OPEN
        self._poll: Poll | None = None
        self._on_retired: Callable[[], None] | None = None
        self.post_is_open = False

    @property
    def content_type(self) -> str:
        """Give the media type of the payload that was given last."""
        return TEXT

    @property
    def holds_polls(self) -> bool:
        """Tell whether a GET waits until there is something to answer it with."""
        return self._state is State.OPEN

    def open_poll(self, connection: Connection | None, on_ready: Callable[[], object] | None = None) -> Poll | None:
        """Open a GET; None if another one is open already.

        HTTP libraries repeat a GET on a new connection after a reset: the first one then gives way, and what it had
        taken waits again.
        """
        poll = self._poll
        if poll is not None:
            if not poll.is_gone():
                return None
            self.settle_poll(poll, written=False)
        self._poll = Poll(connection, on_ready)
        self.outbox.set_stuck(False)
        return self._poll

    def wait_payload(self, poll: Poll) -> bytes:
        """Wait until there is something to answer with, and give it."""
        if self._state is State.RELEASED and not self.outbox.packets:
            self._wait(poll, PROBING_WAIT)
        while (payload := self.take_payload(poll)) is None:
            self._wait(poll, None)
        return payload

    def take_payload(self, poll: Poll) -> bytes | None:
        """Give what a GET is to be answered with; None if it has to be held, until ``on_ready``."""
        was_held, poll.is_held = poll.is_held, False
        if self._poll is not poll:
            return self._encode([], NOOP)
        if self._state is State.FAREWELL:
            return self.take_farewell()
        if not self.outbox.packets and self._state is State.OPEN:
            poll.is_held = True
            return None
        if self._state in (State.CLOSED, State.RETIRED) or not self.outbox.packets:
            return self._encode([], NOOP)
        # At once, the answer is given to a client that has only finished sending, too.
        if was_held and poll.is_gone():
            return self._encode([], NOOP)
        poll.packets = self.outbox.take_packets(self._max_payload, MAX_PIECES)
        return self._encode(poll.packets)

    def _encode(self, packets: list[OutgoingPacket], control: str | None = None) -> bytes:
        """Encode a payload; ``control`` is a packet of the engine behind the others."""
        pieces = [piece for packet in packets for piece in packet.pieces()]
        if control is not None:
            pieces.append(control.encode())
        return encode_payload(pieces)

    @staticmethod
    def _wait(poll: Poll, timeout: float | None) -> None:
        event = Event()
        poll.is_held, poll.on_ready = True, event.set
        event.wait(timeout)

    def settle_poll(self, poll: Poll, *, written: bool) -> None:
        """Take note that a GET was answered, or that its connection broke and the packets have to wait again."""
        packets, poll.packets = poll.packets, []
        if packets and not written:
            self.outbox.restore(packets)
        if self._poll is poll:
            self._poll = None
            poll.wake()
            if self._state in (State.OPEN, State.RELEASED):
                self.outbox.set_stuck(True)  # until the client asks again
            if self._state is State.CLOSED:
                self.outbox.clear()
        if self._poll is None and self._on_retired is not None:
            on_retired, self._on_retired = self._on_retired, None
            on_retired()

    @property
    def is_waiting(self) -> bool:
        """Tell whether a GET is open that waits for something to send."""
        return self._poll is not None and self._poll.is_held

    def wake(self) -> None:
        """Take note that there is something in the outbox, or that the state has changed."""
        if self._poll is not None:
            self._poll.wake()

    def release(self) -> None:
        """Answer the open GET now, and hold none: an upgrade is under way."""
        self._state = State.RELEASED
        self.wake()

    def hold(self) -> None:
        """Hold GETs again: the upgrade did not come about."""
        if self._state is State.RELEASED:
            self._state = State.OPEN

    def retire(self, on_retired: Callable[[], None]) -> None:
        """The session goes on elsewhere; call back as soon as no packet is on its way out here any more."""
        self._state = State.RETIRED
        self.wake()
        if self._poll is not None and self._poll.packets:
            self._on_retired = on_retired
        else:
            on_retired()

    def pause(self) -> None:
        """Nothing to do: the gateway holds the next POST while its client is paused."""

    def resume(self) -> None:
        """Nothing to do, as in ``pause``."""

    def is_gone(self) -> bool:
        """Between two requests nobody can tell."""
        return False

    def close(self) -> None:
        """Send what waits and CLOSE with the open GET, or with the next one."""
        self._state = State.FAREWELL
        self.wake()

    def take_farewell(self) -> bytes:
        """Give what waits and CLOSE, or NOOP if the client has closed itself: the last answer of this session."""
        if self._state is State.CLOSED:
            return self._encode([], NOOP)
        self._state = State.CLOSED
        packets = self.outbox.take_packets(self._max_payload, MAX_PIECES - 1) if self.outbox.packets else []
        return self._encode(packets, CLOSE)

    def abort(self) -> None:
        """End the open GET with NOOP: the client has closed, or is lost."""
        self._state = State.CLOSED
        self.wake()
