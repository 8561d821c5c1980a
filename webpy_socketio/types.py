"""Names that several layers share and that belong to none of them."""

from __future__ import annotations

__all__ = ["RESERVED_EVENTS", "Environ"]

#: A WSGI environ.
Environ = dict[str, object]

#: Events that mean something to Socket.IO clients themselves: they are neither sent nor taken.
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)
