"""A handler: one function of the application, with the event and the namespace that it is for.

It knows signatures and names, nothing of sockets.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, NamedTuple

from .errors import EventError
from .native import mypyc_attr

__all__ = [
    "ANY",
    "LAST_STAGES",
    "UNKNOWN",
    "Event",
    "Handler",
    "NamespaceName",
    "Origin",
    "bounds",
    "describe",
    "normalise_namespace",
    "origin_of",
]

#: `on_event` of this name handles what nothing else handles.
ANY = "*"

#: A namespace by its name, or all those whose names a regular expression matches (`re.match`).
NamespaceName = str | re.Pattern[str]


class Event(Enum):
    """The stages of a socket's life, and events by name."""

    CONNECT = "on_connect"
    MESSAGE = "on_message"
    SUBSCRIBE = "on_subscribe"
    UNSUBSCRIBE = "on_unsubscribe"
    ERROR = "on_error"
    DISCONNECT = "on_disconnect"
    FINISH = "on_finish"
    NAMED = "on_event"

    __hash__ = object.__hash__  # Enum's is Python code, and handlers are looked up by stage for each socket


#: What a handler gets behind ``request, socket, context``.
_EXTRAS: dict[Event, tuple[str, ...]] = {
    Event.MESSAGE: ("message",),
    Event.SUBSCRIBE: ("channel",),
    Event.UNSUBSCRIBE: ("channel",),
    Event.ERROR: ("exception",),
    Event.NAMED: ("*args",),
}


#: The stages of a socket's end, in order.
LAST_STAGES = (Event.DISCONNECT, Event.UNSUBSCRIBE, Event.FINISH)


class Origin(NamedTuple):
    """Where a handler comes from. ``key`` is what its newer self has too, after its module was imported again."""

    key: tuple[object, ...]
    module: str
    #: The spec of the module, which every reload makes anew; `UNKNOWN` where it cannot be told.
    run: Any  # compared by identity alone


#: Of an object that can be called nobody knows which run of its module made it.
UNKNOWN = object()


@mypyc_attr(allow_interpreted_subclasses=True)
class Handler:
    """One registered function. ``least`` and ``most`` bound the arguments that a named event may bring.

    ``takes_name`` tells that the name of the event comes before its arguments.
    """

    __slots__ = ("event", "function", "least", "most", "name", "namespace", "origin", "pattern", "takes_name")

    def __init__(
        self,
        event: Event,
        function: Callable[..., Any],
        name: str | None,
        namespace: NamespaceName,
        channel: object,
        origin: Origin | None = None,
    ) -> None:
        self.event = event
        self.function = function
        self.name = name
        self.namespace = namespace
        self.pattern = None if channel is None else _compile(channel)
        self.origin = origin_of(function) if origin is None else origin
        self.takes_name = name == ANY
        self.least, self.most = bounds(function)
        self._check_arity()

    def _check_arity(self) -> None:
        extras = _EXTRAS.get(self.event, ())
        given = 3 + len(extras)
        fits = self.most >= 3 if self.event is Event.NAMED else self.least <= given <= self.most
        if not fits:
            expected = ", ".join(("request", "socket", "context", *extras))
            raise EventError(f"{self.event.value} handlers take ({expected}); {describe(self.function)} does not.")

    def serves(self, namespace: str) -> bool:
        """Tell whether the handler is for a namespace, by the name with which clients ask for it."""
        if isinstance(self.namespace, str):
            return self.namespace == namespace
        return self.namespace.match(namespace) is not None

    def is_for(self, name: str) -> bool:
        """Tell whether the handler is for events of a name."""
        return self.name == name or (name == "message" and self.event is Event.MESSAGE)

    def takes(self, count: int) -> bool:
        """Tell whether the function takes ``count`` arguments behind ``request, socket, context``."""
        return self.least <= count + 3 <= self.most

    def matches(self, channel: str | None, subscribed: Collection[str]) -> bool:
        """Tell whether the handler is concerned: by the channel of the event or, without one, by those of the
        socket.
        """
        if self.pattern is None:
            return True
        if channel is not None:
            return self.pattern.match(channel) is not None
        return any(self.pattern.match(name) for name in subscribed)


def describe(function: Callable[..., Any]) -> str:
    """Name a function with its signature, for an error text."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        return f"{name}{inspect.signature(function)}"
    except (TypeError, ValueError):
        return str(name)


def _compile(channel: object) -> re.Pattern[str]:
    try:
        if isinstance(channel, str):
            return re.compile(channel)
        problem = "it is no string"
    except re.error as error:
        problem = str(error)
    raise EventError(f"channel must be a regular expression as a string, not {channel!r}: {problem}")


def bounds(function: Callable[..., Any]) -> tuple[int, float]:
    """Give the least and the largest number of positional arguments that a function takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except TypeError as error:
        raise EventError(f"A handler must be a function, not {function!r}.") from error
    except ValueError:  # a builtin without a signature
        return 0, float("inf")
    required_names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if required_names:
        raise EventError(f"{describe(function)} requires the keyword {required_names[0]!r}, which no event brings.")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unbounded = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    least = sum(1 for p in positional if p.default is p.empty)
    return least, float("inf") if unbounded else len(positional)


def origin_of(function: Callable[..., Any]) -> Origin:
    """Tell where a function comes from."""
    function = inspect.unwrap(function)
    module, code = getattr(function, "__module__", None), getattr(function, "__code__", None)
    # The main module and its second import may name their file differently, as after ``python ./app.py``.
    file = os.path.abspath(code.co_filename) if code is not None else module
    where = getattr(function, "__globals__", None)
    key = (file, getattr(function, "__qualname__", None) or id(function))
    return Origin(key, str(module), UNKNOWN if where is None else where.get("__spec__"))


def normalise_namespace(namespace: object) -> NamespaceName:
    """Check the namespace that a handler is for, and give it its slash. Raises ``EventError``."""
    if isinstance(namespace, re.Pattern) and isinstance(namespace.pattern, str):
        return namespace
    if not isinstance(namespace, str) or "," in namespace:
        raise EventError(
            'namespace must be a string such as "/chat" without a comma, or a compiled regular expression such as '
            f're.compile("^/chat-"), not {namespace!r}.'
        )
    return namespace if namespace.startswith("/") else f"/{namespace}"
