"""One Engine.IO session of protocol 3, the server's side: as `engine_session`, but the client sends the pings.

Everything that comes on the current lane is a sign of life; the session ends when there was none for ``ping_interval``
and ``ping_timeout`` together. The table differs in one row: PING is answered, and nobody may send PONG.
"""

from __future__ import annotations

from typing import ClassVar

from ..wire.engine_packets import BINARY, CLOSE, MESSAGE, PING
from ..wire.engine_packets_3 import MESSAGE_BYTE, decode_base64
from .engine_session import MAX_DELAY, TABLE, CloseSession, EngineSession, Lane, Outcome, SendPong, State, Table

__all__ = ["EngineSession3"]

_ON_CURRENT = {MESSAGE: "message", BINARY: "binary", PING: "ping", CLOSE: "close"}
_TABLE: Table = {
    state: (_ON_CURRENT if state is not State.CLOSED else {}, candidate) for state, (_, candidate) in TABLE.items()
}


class EngineSession3(EngineSession):
    """The machine of one session. ``deadline`` and the arguments are those of `EngineSession`."""

    _table: ClassVar[Table] = _TABLE

    __slots__ = ("_heard_at",)

    def __init__(self, sid: str, *, upgraded: bool, ping_interval: float, ping_timeout: float, now: float) -> None:
        super().__init__(sid, upgraded=upgraded, ping_interval=ping_interval, ping_timeout=ping_timeout, now=now)
        self._heard_at = now

    def receive_packet(self, lane: Lane, packet: str | bytes, now: float) -> Outcome | None:
        """Take one packet that came on ``lane``; binary data begins with its type."""
        if lane is Lane.CANDIDATE:
            return self._receive_on_candidate(packet)
        if self.state is State.CLOSED:
            return None
        self._heard_at = now
        if not isinstance(packet, str):
            if packet[:1] == MESSAGE_BYTE:
                return packet[1:]
            return self.close("parse error", f"binary data begins with its type, the byte 4, not {packet[:1]!r}")
        action = self._current.get(packet[:1])
        if action == "message":
            return packet[1:]
        return SendPong(packet[1:]) if action == "ping" else self._receive_rare(action, packet)

    def _decode_binary(self, packet: str) -> bytes:
        return decode_base64(packet)

    def receive_deadline(self, now: float) -> CloseSession | None:
        """Take note that the deadline has passed: perhaps the client's time is over."""
        if self.state is State.CLOSED or now < self.deadline:
            return None
        late, due = now - self.deadline, self._heard_at + self._ping_interval
        over = due + self._ping_timeout
        if now < over:
            # Looked at after the interval as well: where we have stopped reading, the client is to hear of us then.
            self.deadline = due if now < due else over
            return None
        if late > MAX_DELAY:
            # The loop was blocked; what the client has sent meanwhile may still be in the kernel.
            self.deadline = now + MAX_DELAY
            return None
        return self.close("ping timeout")

    def suspend_deadline(self, now: float) -> Outcome:
        """Put the deadline off, as in `EngineSession`: its PING cannot be seen, but a PONG contents the client."""
        self._heard_at = now
        self.deadline = now + self._ping_interval
        return SendPong("")
