"""Names that several layers share and that belong to none of them."""

from __future__ import annotations

from enum import Enum

__all__ = ["NO_ACK", "RESERVED_EVENTS", "Environ", "NoAck"]

#: A WSGI environ.
Environ = dict[str, object]

#: Events that mean something to Socket.IO clients themselves: they are neither sent nor taken.
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)


class NoAck(Enum):
    """The type of `NO_ACK`."""

    NO_ACK = "no ack"


#: What a handler returns to leave a client's question unanswered.
NO_ACK = NoAck.NO_ACK
