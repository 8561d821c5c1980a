"""Messages over one WebSocket: the machine of `state.websocket` on a link.

It knows messages and closing. Who takes the messages, and what they are, is the receiver's business.
"""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from ..config import Config
from ..native import mypyc_attr
from ..state.websocket import Ended, Reply, State, WebSocketConnection
from ..types import Excess
from ..wire.deflate import Agreement, Deflater, Inflater
from .arrivals import Arrivals
from .link import make_link
from .outbox import Outbox
from .timers import TimerWheel
from .turn import Flushable, Turn

__all__ = ["WebSocketCarrier", "WebSocketReceiver"]

#: Bytes that are joined for one write; what is beyond stays as whole packets, which may still be dropped.
WRITE_SIZE: Final = 131_072
#: Bytes of PONGs that are joined: adding to them copies them.
MAX_RAW: Final = 4_096


class WebSocketReceiver(Protocol):
    """Who takes what comes in, always in the loop."""

    def receive_message(self, carrier: Any, message: str | bytes) -> None:
        """Take one message."""

    def receive_close(self, carrier: Any, code: int, reason: str, violation: bool) -> None:
        """Take note that the connection is over: the peer's code and reason, or what the peer broke."""

    def receive_excess(self, carrier: Any, excess: Excess) -> None:
        """Take note that the peer exceeded a limit; ``receive_close`` follows."""

    def receive_room(self, carrier: Any) -> None:
        """Take note that the outbox has room: a client that was stuck reads again."""

    def receive_failure(self) -> None:
        """Take note that one of these methods raised; called in the ``except`` clause."""


@mypyc_attr(allow_interpreted_subclasses=True)
class WebSocketCarrier(Flushable):
    """One WebSocket after its opening handshake.

    ``outbox`` is None until the carrier carries a session (during an upgrade, only ``send_now`` is used). An
    ``agreement`` tells that its messages may be compressed.
    """

    name = "websocket"

    __slots__ = (
        "_config",
        "_connection",
        "_deflater",
        "_late_pong",
        "_link",
        "_raw",
        "_receiver",
        "_turn",
        "_wheel",
        "outbox",
        "timer_slot",
    )

    def __init__(
        self,
        sock: Any,
        arrivals: Arrivals,
        turn: Turn,
        wheel: TimerWheel,
        config: Config,
        agreement: Agreement | None = None,
    ) -> None:  # Any: a raw socket
        self._config = config
        inflater = self._deflater = None
        if agreement is not None:
            inflater = Inflater(agreement)
            self._deflater = Deflater(agreement.server_bits, config.compression_threshold)
        self._connection = WebSocketConnection(config.max_payload, inflater)
        self._link = make_link(sock, arrivals, self)
        self._turn = turn
        self._wheel = wheel
        self._receiver: WebSocketReceiver | None = None
        self._raw = b""
        self._late_pong = b""
        self.outbox: Outbox | None = None
        self.is_noted = False
        self.timer_slot = -1

    def start(self, receiver: WebSocketReceiver, early_data: bytes = b"") -> None:
        """Begin to read; ``early_data`` came behind the request's head."""
        self._receiver = receiver
        if early_data:
            self._link.start_with(early_data)
        else:
            self._link.start()

    def pause(self) -> None:
        """Stop to read until ``resume``."""
        self._link.pause()

    def resume(self) -> None:
        """Go on to read."""
        if self._receiver is not None:
            self._link.start()

    def is_gone(self) -> bool:
        """Look whether the peer has closed, while reading is stopped."""
        return self._link.is_gone()

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the link."""
        receiver = self._receiver
        message = None if receiver is None else self._connection.receive_text(data)
        if receiver is not None and message is not None:
            receiver.receive_message(self, message)
            return
        outcomes = self._connection.receive_data(data)
        if receiver is None:
            self._discard(outcomes)
            return
        for outcome in outcomes:
            kind = type(outcome)
            if kind is str or kind is bytes:
                receiver.receive_message(self, outcome)  # type: ignore[arg-type]  # its exact type was just looked at
            elif kind is Reply:
                self._answer_ping(outcome.data)  # type: ignore[union-attr]  # likewise
            else:
                self._end(outcome)  # type: ignore[arg-type]  # likewise

    def _answer_ping(self, pong: bytes) -> None:
        """Send a PONG. While the peer does not read, only the one for its latest PING is kept (RFC 6455 section
        5.5.3): it must not fill our memory with what it asks for.
        """
        if len(self._raw) >= MAX_RAW and not self._link.is_blocked:
            self.flush()
        if self._link.is_blocked:
            self._late_pong = pong
        else:
            self.send_now(pong)

    def _discard(self, outcomes: list[Any]) -> None:
        """We are closing: of what still comes in, only the end matters."""
        if any(type(outcome) is Ended for outcome in outcomes):
            self.abort()

    def _end(self, ended: Ended) -> None:
        receiver, self._receiver = self._receiver, None
        # The answers to what came before the end. Behind a close frame nothing more may be sent (RFC 6455 section
        # 5.5.1), whatever still waits.
        self.flush()
        self.outbox = None
        self._raw += ended.reply
        self.flush()
        if receiver is not None:
            if ended.excess is not None:
                receiver.receive_excess(self, ended.excess)
            receiver.receive_close(self, ended.code, ended.reason, ended.violation)
        if ended.violation or self._link.is_blocked:
            self._linger()
        else:
            self.abort()

    def receive_end(self) -> None:
        """Take the end of the stream from the link."""
        receiver, self._receiver = self._receiver, None
        ended = self._connection.receive_end()
        self.abort()
        if receiver is not None:
            receiver.receive_close(self, ended.code, ended.reason, False)

    def receive_break(self) -> None:
        """Nothing to do: the end of the stream follows."""

    def receive_failure(self) -> None:
        """Pass on that something raised."""
        if self._receiver is not None:
            self._receiver.receive_failure()
        self.abort()

    # -- out --------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Take note that there is something in the outbox."""
        if not self.is_noted:
            self._turn.add(self)

    def send_now(self, data: bytes) -> None:
        """Send bytes that are no packet of the outbox: frames of the protocol itself, ahead of what waits there."""
        self._raw += data
        self.wake()

    def flush(self) -> None:
        """Write what waits, as far as the kernel takes it."""
        link, outbox = self._link, self.outbox
        if link.is_closed:
            return
        while not link.is_blocked:
            data, self._raw = self._raw, b""
            if outbox is not None and outbox.packets:
                data += outbox.take_frames(WRITE_SIZE, self._deflater)
            if not data or (link.send(data) and (outbox is None or not outbox.packets)):
                break
        if outbox is not None and outbox.stuck is not link.is_blocked:
            outbox.set_stuck(link.is_blocked)

    def receive_room(self) -> None:
        """Go on to write: the kernel has taken what was given to it."""
        if self._late_pong and self._receiver is not None:
            self._raw += self._late_pong
            self._late_pong = b""
        self.flush()
        if self._receiver is not None and not self._link.is_blocked:
            self._receiver.receive_room(self)
        elif self._connection.state is State.CLOSED:
            self._link.finish_writing()

    # -- closing ----------------------------------------------------------------------------------------------------

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits and a close frame, and wait a while for the peer's (RFC 6455 section 7.1.1)."""
        self._receiver = None
        if self._link.is_closed:
            return
        if self.outbox is not None and self.outbox.packets:
            # Not compressed: all that waits for a slow client would take too long at once.
            self._raw += self.outbox.take_frames(self.outbox.size)
        if self._connection.state is State.OPEN:
            self._raw += self._connection.send_close(code, reason)
        self.flush()
        self._link.start()
        self._wheel.schedule(self, time.monotonic() + self._config.close_timeout)

    def _linger(self) -> None:
        """Let the peer read our close frame: closing now would reset the connection under what it is still sending."""
        if not self._link.is_blocked:
            self._link.finish_writing()
        self._link.start()
        self._wheel.schedule(self, time.monotonic() + self._config.close_timeout)

    def receive_deadline(self, now: float) -> float | None:
        """The peer had its time to close."""
        self.abort()
        return None

    def abort(self, *, in_child: bool = False) -> None:
        """Close the socket now."""
        self._receiver = None
        self._wheel.cancel(self)
        self._link.close(in_child=in_child)
