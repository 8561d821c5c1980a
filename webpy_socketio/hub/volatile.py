"""What ``socket.volatile`` gives: messages that are worth nothing later, such as positions and clocks."""

from __future__ import annotations

from typing import Protocol

from ..events import check_event_name

__all__ = ["Volatile"]


class Sender(Protocol):
    """A socket, as far as it is concerned."""

    @property
    def takes_more(self) -> bool:
        """Tell whether a message would leave at once."""

    def send(self, message: object) -> bool:
        """Send a message."""

    def emit(self, event: str, *args: object) -> bool:
        """Send an event."""


class Volatile:
    """Sends to a socket what could leave at once; anything else is dropped, not queued."""

    __slots__ = ("_socket",)

    def __init__(self, socket: Sender) -> None:
        self._socket = socket

    def send(self, message: object) -> bool:
        """Send a message; False if it was dropped."""
        return self._socket.takes_more and self._socket.send(message)

    def emit(self, event: str, *args: object) -> bool:
        """Send an event; False if it was dropped."""
        check_event_name(event)
        return self._socket.takes_more and self._socket.emit(event, *args)
