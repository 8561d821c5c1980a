"""Processors: the application's functions around every event, in the shape of web.py's own (`app.add_processor`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .request import Request
from .socket_core import SocketCore

__all__ = ["EventCall", "run_processed"]


class EventCall:
    """What a processor is given: call it to go on, once; it gives what the handlers gave.

    ``event`` is the name of the event, or ``connect``, ``subscribe``, ``unsubscribe``, ``disconnect`` or ``finish`` for
    the stages of a socket; ``arguments`` are the event's (the channel for the two about channels).
    """

    __slots__ = ("_go_on", "arguments", "event", "socket")

    def __init__(self, socket: SocketCore, event: str, arguments: Sequence[Any], go_on: Callable[[], Any]) -> None:
        # Any: arguments and results are user data.
        self.socket = socket
        self.event = event
        self.arguments = list(arguments)
        self._go_on = go_on

    @property
    def request(self) -> Request:
        """Give the handshake's request."""
        return self.socket.request

    @property
    def context(self) -> dict[Any, Any]:
        """Give the socket's context."""
        return self.socket.context

    def __call__(self) -> Any:
        """Run the other processors and the handlers."""
        return self._go_on()


def run_processed(socket: SocketCore, event: str, arguments: Sequence[Any], handlers: Callable[[], Any]) -> Any:
    """Run ``handlers`` inside all processors, the first one outermost; what a processor raises is not caught here."""
    go_on = handlers
    for processor in reversed(socket.hub.registry.processors):
        go_on = _bind(processor, EventCall(socket, event, arguments, go_on))
    return go_on()


def _bind(processor: Callable[[EventCall], Any], call: EventCall) -> Callable[[], Any]:
    return lambda: processor(call)
