"""A line: one HTTP connection in the loop, as long as no greenlet serves a request of it.

It waits for requests, so that an idle connection costs no greenlet. Those that the loop itself can answer (`direct`)
are answered here; a greenlet serves all others, one at a time, and gives the connection back.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Any, Final, Protocol

from ..config import Config
from ..hub.hub import Hub
from ..transport.link import make_link
from ..transport.turn import Flushable
from ..types import Environ
from ..wire.request_head import Fields, RequestHead, decode_head
from . import direct
from .answers import Answer, Headers
from .sending import unacknowledged

__all__ = ["Entrance", "Line"]


class State(Enum):
    """WAITING for a request; POLLING: a GET is held; SENDING: the kernel has not taken all of an answer yet; SERVED by
    a greenlet; ENDING: we have closed our half, the client is yet to close its own.
    """

    WAITING = "waiting"
    POLLING = "polling"
    SENDING = "sending"
    SERVED = "served"
    ENDING = "ending"
    CLOSED = "closed"


#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_WAITING: Final = State.WAITING
_POLLING: Final = State.POLLING
_SENDING: Final = State.SENDING
#: Not, or no longer, in the loop.
_AWAY: Final = (State.SERVED, State.CLOSED)


class Entrance(Protocol):
    """The server, as far as a line needs it."""

    socketio_config: Config
    lines: set[Line]

    @property
    def hub(self) -> Hub:
        """Give the hub of the sessions."""

    @property
    def is_last(self) -> bool:
        """Tell whether the server stops: no request follows the one that is being answered."""

    def describe(self, environ: Environ, address: Any) -> bool:
        """Fill in who asks; True if the request is one for the endpoint itself."""

    def serve(self, line: Line, sock: Any, data: bytes, head: RequestHead | None) -> None:
        """Have a greenlet serve the request with which ``data`` begins."""


class Line(Flushable):
    """The connection ``sock`` (raw and non-blocking) with a client at ``address``."""

    __slots__ = (
        "_deadline",
        "_early",
        "_entrance",
        "_exchange",
        "_fields",
        "_is_over",
        "_link",
        "_left",
        "_sock",
        "_state",
        "address",
        "timer_slot",
    )

    def __init__(self, entrance: Entrance, sock: Any, address: Any) -> None:  # Any: a raw socket and its peer's name
        self._entrance = entrance
        self.address = address
        self.is_noted = False
        self.timer_slot = -1
        #: Those of the latest request: the next one mostly has the same.
        self._fields: Fields | None = None
        self._exchange: direct.Exchange | None = None
        #: What has come while an answer was under way, and whether all has come that will.
        self._early = b""
        self._is_over = False
        #: Bytes of an answer that the client was yet to take when we looked last.
        self._left = 0
        self._take(sock)
        # Under load, the request has come before we accept the connection: then nothing has to wait for it.
        self._link.read_now()
        if self._state not in _AWAY:
            if self.timer_slot < 0:
                self._allow(entrance.socketio_config.head_timeout)
            self._link.start()

    def _take(self, sock: Any) -> None:
        self._sock = sock
        self._state = _WAITING
        self._link = make_link(sock, self._entrance.hub.arrivals, self)
        self._entrance.lines.add(self)

    def _allow(self, patience: float) -> None:
        """Allow ``patience`` seconds for a request to come."""
        self._deadline = time.monotonic() + patience
        if self.timer_slot < 0:
            self._entrance.hub.wheel.schedule(self, self._deadline)

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take a request, or the begin of one."""
        if self._state is not _WAITING:
            self._put_aside(data)
            return
        head = decode_head(data, self._entrance.socketio_config.max_head, self._fields)
        self._fields = None if head is None else head.fields
        if head is None or not self._answer_directly(head, data):
            self._hand_over(data, head)

    def _put_aside(self, data: bytes) -> None:
        if self._state is not State.ENDING:  # where what still comes is dropped
            self._early += data
            self._link.pause()

    def _answer_directly(self, head: RequestHead, data: bytes) -> bool:
        entrance = self._entrance
        if "sid=" not in head.environ["QUERY_STRING"] or not head.keeps_alive:
            return False
        environ: Environ = {**head.environ}
        if not entrance.describe(environ, self.address):
            return False
        exchange = direct.begin(entrance.hub, head, environ, data[head.size :], self, self.wake)
        if exchange is None:
            return False
        if isinstance(exchange, direct.Exchange):
            self._exchange = exchange
            self._state = _POLLING
            self.flush()
        else:
            self._send(*exchange)
        return True

    def _hand_over(self, data: bytes, head: RequestHead | None) -> None:
        self._state = State.SERVED
        self._leave()
        self._entrance.serve(self, self._link.release(), data, head)

    def _leave(self) -> None:
        if self.timer_slot >= 0:
            self._entrance.hub.wheel.cancel(self)
        self._entrance.lines.discard(self)

    def take_back(self, sock: Any, early_data: bytes) -> None:
        """Wait for the next request, which begins with ``early_data``: a greenlet has answered one."""
        self._take(sock)
        self._allow(self._entrance.socketio_config.keepalive_timeout)
        if early_data:
            self._link.start_with(early_data)
        else:
            self._link.start()

    def receive_end(self) -> None:
        """Take note that nothing more will come."""
        self._is_over = True
        if self._state is not _SENDING:
            self.close()

    def is_gone(self) -> bool:
        """Tell whether the client has closed the connection."""
        return self._is_over or self._link.is_closed or self._link.is_gone()

    # -- out --------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for the answer to the GET that is held, when the loop's turn ends."""
        if not self.is_noted:
            self._entrance.hub.turn.add(self)

    def flush(self) -> None:
        """Send the answer to the GET that is held, if there is one."""
        exchange = self._exchange
        if exchange is None or self._state is not _POLLING:
            return
        answer = exchange.take_answer()
        if answer is not None:
            self._send(answer, exchange.cors)

    def _send(self, answer: Answer, cors: Headers) -> None:
        further = [*cors, ("Connection", "close")] if self._entrance.is_last else cors
        self._state = _SENDING
        if self._link.send(answer.encode(further)):
            self.receive_room()
        else:
            self._left = self._count_left()
            self._be_patient(self._entrance.socketio_config.body_timeout)

    def _count_left(self) -> int:
        return self._link.unsent + unacknowledged(self._sock)

    def receive_room(self) -> None:
        """Take note that the answer was written: the next request may come."""
        if self._state is not _SENDING:
            return
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end(written=True)
        if self._is_over or self._entrance.is_last:
            self._end()
            return
        self._state = _WAITING
        self._allow(self._entrance.socketio_config.keepalive_timeout)
        if self._early:
            early, self._early = self._early, b""
            self._link.start_with(early)

    def receive_break(self) -> None:
        """Take note that the answer did not reach the kernel: what was in it waits for the client's next GET."""
        self.close()

    # -- the end ----------------------------------------------------------------------------------------------------

    def receive_deadline(self, now: float) -> float | None:
        """Close a line that was idle for too long, or whose client does not read its answer; all of them with the hub,
        which has no time any more.
        """
        if not self._entrance.hub.is_open:
            self.close()
            return None
        if self._state is _POLLING:
            return now + self._entrance.socketio_config.keepalive_timeout
        if now < self._deadline:
            return self._deadline
        if self._state is _SENDING:
            before, self._left = self._left, self._count_left()
            if self._left < before:
                self._deadline = now + self._entrance.socketio_config.body_timeout
                return self._deadline
        self.close()
        return None

    def receive_failure(self) -> None:
        """Close the line in whose callback something of ours raised; called in the ``except`` clause."""
        self._entrance.hub.receive_failure()
        self.close()

    def stop_waiting(self) -> None:
        """Take note that the server is about to stop: it does not wait for who is idle."""
        if self._state is _WAITING:
            self._entrance.hub.wheel.cancel(self)

    def end_if_idle(self) -> None:
        """Close the line if it only waits: the server stops."""
        if self._state is _WAITING:
            self.close()

    def _end(self) -> None:
        """Let the client read our last answer: closing over what it still sends would reset the connection (RFC 9112
        section 9.6).
        """
        if self._is_over or not self._entrance.hub.is_open:
            self.close()
            return
        self._state = State.ENDING
        self._early = b""
        self._link.finish_writing()
        self._link.start()
        self._be_patient(self._entrance.socketio_config.close_timeout)

    def _be_patient(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._entrance.hub.wheel.schedule(self, self._deadline)

    def close(self, *, in_child: bool = False) -> None:
        """Close the connection. ``in_child``: a forked process drops its copy."""
        if self._state in _AWAY:
            return
        self._state = State.CLOSED
        self._leave()
        self._link.close(in_child=in_child)
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not in_child:
            exchange.end(written=False)
