"""Names that several layers share and that belong to none of them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["NO_ACK", "RESERVED_EVENTS", "Environ", "Excess", "NoAck"]

#: A WSGI environ.
Environ = dict[str, object]

#: Events that mean something to Socket.IO clients themselves: they are neither sent nor taken.
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)


class Excess(NamedTuple):
    """By how much a peer exceeded a limit: the setting's name, what came, and what is allowed."""

    limit: str
    size: float
    most: float


class NoAck(Enum):
    """The type of `NO_ACK`."""

    NO_ACK = "no ack"


#: What a handler returns to leave a client's question unanswered.
NO_ACK = NoAck.NO_ACK
