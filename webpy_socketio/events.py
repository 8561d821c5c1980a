"""The application's events: the decorators that fill the registry of handlers.

It knows signatures and names, nothing of sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from .errors import EventError
from .handler import (
    ANY,
    LAST_STAGES,
    Event,
    Handler,
    NamespaceName,
    bounds,
    describe,
    normalise_namespace,
)
from .registry import Registry, registry
from .types import RESERVED_EVENTS

__all__ = [
    "ANY",
    "LAST_STAGES",
    "Event",
    "Handler",
    "Registry",
    "add_processor",
    "check_event_name",
    "describe",
    "on_connect",
    "on_disconnect",
    "on_error",
    "on_event",
    "on_finish",
    "on_message",
    "on_subscribe",
    "on_unsubscribe",
    "registry",
]

F = TypeVar("F", bound=Callable[..., Any])


class _Decorator:
    """``@on_message`` and ``@on_message(channel=…, namespace=…)``."""

    def __init__(self, event: Event) -> None:
        self._event = event

    @overload
    def __call__(self, function: F) -> F: ...
    @overload
    def __call__(self, *, channel: str | None = None, namespace: NamespaceName = "/") -> Callable[[F], F]: ...
    def __call__(
        self, function: F | None = None, *, channel: str | None = None, namespace: NamespaceName = "/"
    ) -> F | Callable[[F], F]:
        """Register a function for this event; ``channel`` is a regular expression (`re.match`).

        ``namespace`` is a name, or a compiled regular expression for all namespaces that it matches.
        """
        name = self._event.value
        if channel is not None and self._event is Event.CONNECT:
            raise EventError("on_connect takes no channel=: a socket that connects is subscribed to none yet.")
        if function is not None and not callable(function):
            raise EventError(f"Write @{name} or @{name}(channel=…), not @{name}({function!r}).")

        def register(function: F) -> F:
            registry.add(Handler(self._event, function, None, normalise_namespace(namespace), channel))
            return function

        return register if function is None else register(function)


on_connect = _Decorator(Event.CONNECT)
on_message = _Decorator(Event.MESSAGE)
on_subscribe = _Decorator(Event.SUBSCRIBE)
on_unsubscribe = _Decorator(Event.UNSUBSCRIBE)
on_error = _Decorator(Event.ERROR)
on_disconnect = _Decorator(Event.DISCONNECT)
on_finish = _Decorator(Event.FINISH)


def on_event(name: str, *, channel: str | None = None, namespace: NamespaceName = "/") -> Callable[[F], F]:
    """Register a function for the event ``name``, called as ``(request, socket, context, *args)``.

    The name ``"*"`` stands for all events that nothing else handles; their name comes before ``args``.

    Raises ``EventError`` for a name that Socket.IO or this package uses itself.
    """
    check_event_name(name)

    def register(function: F) -> F:
        registry.add(Handler(Event.NAMED, function, name, normalise_namespace(namespace), channel))
        return function

    return register


def add_processor(function: F) -> F:
    """Have ``function(handler)`` run around every event, as web.py's processors run around requests.

    It calls ``handler()`` to go on and gives what that gave, or something else: the event's value, and so its ack.
    ``handler`` has ``request socket context event arguments``. The first one that was added is the outermost. May be
    used as a decorator. Raises ``EventError`` for what cannot be called with one argument.
    """
    least, most = bounds(function)
    if not least <= 1 <= most:
        raise EventError(f"A processor takes (handler); {describe(function)} does not.")
    registry.add_processor(function)
    return function


def check_event_name(name: object) -> None:
    """Check the name of an event that an application handles or sends. Raises ``EventError``."""
    if not isinstance(name, str) or not name:
        raise EventError(f'An event needs a name, as in on_event("chat"), not {name!r}.')
    if name in RESERVED_EVENTS or (name.startswith("__") and name.endswith("__")):
        raise EventError(
            f"{name!r} is a reserved name: clients use {', '.join(sorted(RESERVED_EVENTS))} and __…__ themselves."
        )
