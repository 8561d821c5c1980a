"""One Engine.IO session (protocol 4), the server's side: heartbeats, and the upgrade from polling to WebSocket.

A session has a *current* lane, which carries it, and during an upgrade a *candidate*. What may come in on which lane is
one table. What is not in it, on the current lane, ends the session; on the candidate it costs only the candidate.

    OPEN  --PING "probe" on the candidate-->  PROBING  --UPGRADE on the candidate-->  UPGRADED
    PROBING  --a violation on the candidate, or its loss-->  OPEN
    any  --CLOSE, a violation, no answer to a PING-->  CLOSED
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Final

from ..errors import ProtocolError, UsageError
from ..wire.engine_packets import (
    BINARY,
    CLOSE,
    MESSAGE,
    NOOP,
    OPEN,
    PING,
    PONG,
    UPGRADE,
    decode_binary,
)

__all__ = [
    "MAX_DELAY",
    "TABLE",
    "CloseLane",
    "CloseSession",
    "EngineSession",
    "Lane",
    "Outcome",
    "Probed",
    "SendPing",
    "SendPong",
    "State",
    "Table",
    "Upgraded",
]


class State(Enum):
    """Where the session stands. One that began on a WebSocket is UPGRADED from its start."""

    OPEN = "open"
    PROBING = "probing"
    UPGRADED = "upgraded"
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's is Python code, and each step looks into the table


class Lane(Enum):
    """On which of its two possible connections a packet of the session came."""

    CURRENT = "current"
    CANDIDATE = "candidate"


#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_CLOSED: Final = State.CLOSED
_CANDIDATE: Final = Lane.CANDIDATE


class Probed:
    """Answer ``3probe`` on the candidate and release a waiting poll."""


class Upgraded:
    """The candidate becomes the current lane."""


class SendPing:
    """Send PING on the current lane."""


class SendPong:
    """Send PONG with ``data`` on the current lane: the client has sent a PING (Engine.IO 3)."""

    def __init__(self, data: str) -> None:
        self.data = data


class CloseLane:
    """The candidate broke the rules: close it, the session lives on as it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class CloseSession:
    """The session is over. ``reason`` is one of Node's names; ``detail`` says more where the peer was at fault."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail


#: Text or binary data for the application, or something to do.
Outcome = str | bytes | Probed | Upgraded | SendPing | SendPong | CloseLane | CloseSession
#: State to what may come on the current lane, and on the candidate.
Table = dict[State, tuple[dict[str, str], dict[str, str]]]

_KNOWN: Final = frozenset((OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP))
_ON_CURRENT: Final = {MESSAGE: "message", BINARY: "binary", PONG: "pong", CLOSE: "close"}
TABLE: Final[Table] = {
    State.OPEN: (_ON_CURRENT, {PING: "probe"}),
    State.PROBING: (_ON_CURRENT, {UPGRADE: "upgrade"}),
    State.UPGRADED: (_ON_CURRENT, {}),
    State.CLOSED: ({}, {}),
}


#: Seconds: a call of ``receive_deadline`` that comes later than this is late by itself.
MAX_DELAY: Final = 0.1


class EngineSession:
    """The machine of one session.

    ``ping_interval`` and ``ping_timeout`` are seconds. ``deadline`` is the time (of ``now``) of the next call of
    ``receive_deadline``. It never moves to an earlier time, so it only has to be looked at when the one seen last has
    passed.
    """

    _table: ClassVar[Table] = TABLE

    __slots__ = ("_current", "_heard", "_ping_interval", "_ping_timeout", "_pinged_at", "deadline", "sid", "state")

    def __init__(self, sid: str, *, upgraded: bool, ping_interval: float, ping_timeout: float, now: float) -> None:
        self.sid = sid
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._heard = False
        self._pinged_at: float | None = None
        self.deadline = now + ping_interval
        self._enter(State.UPGRADED if upgraded else State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._current = self._table[state][0]

    def receive_packet(self, lane: Lane, packet: str | bytes, now: float) -> Outcome | None:
        """Take one packet that came on ``lane``; binary data is always a MESSAGE."""
        if lane is _CANDIDATE:
            return self._receive_on_candidate(packet)
        self._heard = True
        if type(packet) is not str:
            return packet if self.state is not _CLOSED else None
        action = self._current.get(packet[:1])
        if action == "message":
            return packet[1:]
        if action == "pong":
            self._pinged_at = None
            self.deadline = now + self._ping_interval
            return None
        if self.state is State.CLOSED:
            return None
        return self._receive_rare(action, packet)

    def _decode_binary(self, packet: str) -> bytes:
        """Decode binary data that came as text. Raises ``ProtocolError``."""
        return decode_binary(packet)

    def _receive_rare(self, action: str | None, packet: str) -> Outcome:
        if action == "close":
            return self.close("transport close")
        if action == "binary":
            try:
                return self._decode_binary(packet)
            except ProtocolError as error:
                return self.close("parse error", error.reason)
        reason = "transport error" if packet[:1] in _KNOWN else "parse error"
        return self.close(reason, f"unexpected packet {packet[:1]!r}")

    def _receive_on_candidate(self, packet: str | bytes) -> Outcome | None:
        kind, data = (packet[:1], packet[1:]) if isinstance(packet, str) else ("", "")
        action = self._table[self.state][1].get(kind)
        if action == "probe" and data == "probe":
            self._enter(State.PROBING)
            return Probed()
        if action == "upgrade":
            self._enter(State.UPGRADED)
            return Upgraded()
        self.lose_candidate()
        return CloseLane(f"unexpected packet {str(packet[:6])!r} in an upgrade")

    def lose_candidate(self) -> None:
        """Take note that the candidate is gone: the session goes on as it was."""
        if self.state is State.PROBING:
            self._enter(State.OPEN)

    def receive_deadline(self, now: float) -> SendPing | CloseSession | None:
        """Take note that the deadline has passed: time for a PING, or for the end.

        A client that did not answer the PING but sent something else since is alive, and asked once more.
        """
        if self.state is State.CLOSED or now < self.deadline:
            return None
        if self._pinged_at is not None:
            over = self._pinged_at + self._ping_timeout
            if now < over:
                self.deadline = min(over, now + self._ping_interval)
                return None
            if not self._heard:
                return self.close("ping timeout")
        # Counted from when it was due, or small delays would add up; but a late loop is not the client's fault.
        self._pinged_at, self._heard = max(self.deadline, now - MAX_DELAY), False
        # Once it is answered, the next PING may be due before the time to answer would have been over.
        self.deadline = self._pinged_at + min(self._ping_interval, self._ping_timeout)
        return SendPing()

    def suspend_deadline(self, now: float) -> Outcome:
        """Put the deadline off: we have stopped reading, so an answer cannot be seen. Gives what the client is yet to
        hear, as it ends the session itself otherwise.
        """
        self._heard = True
        self.deadline = now + self._ping_interval
        return SendPing()

    def close(self, reason: str, detail: str = "") -> CloseSession:
        """Close the session. Raises ``UsageError`` if it is closed already."""
        if self.state is State.CLOSED:
            raise UsageError("The session is closed already.")
        self._enter(State.CLOSED)
        return CloseSession(reason, detail)
