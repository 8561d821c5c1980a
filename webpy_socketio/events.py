"""The application's events: the decorators, and the registry of handlers that they fill.

It knows signatures and names, nothing of sockets. A handler is keyed by its file, its qualified name, its event and its
channel pattern, and the newest wins in the place of the older one: web.py's debug mode imports the main file a second
time, and once more per saved edit.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, TypeVar, overload

from .errors import EventError
from .types import RESERVED_EVENTS

__all__ = [
    "LAST_STAGES",
    "Event",
    "Handler",
    "Registry",
    "add_processor",
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

#: `on_event` of this name handles what nothing else handles.
ANY = "*"

F = TypeVar("F", bound=Callable[..., Any])


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


class Handler:
    """One registered function. ``least`` and ``most`` bound the arguments that a named event may bring."""

    __slots__ = ("event", "function", "least", "most", "name", "namespace", "pattern")

    def __init__(
        self, event: Event, function: Callable[..., Any], name: str | None, namespace: str, channel: str | None
    ) -> None:
        self.event = event
        self.function = function
        self.name = name
        self.namespace = namespace
        self.pattern = None if channel is None else _compile(channel)
        self.least, self.most = _bounds(function)
        self._check_arity()

    def _check_arity(self) -> None:
        extras = _EXTRAS.get(self.event, ())
        given = 3 + len(extras)
        fits = self.most >= 3 if self.event is Event.NAMED else self.least <= given <= self.most
        if not fits:
            expected = ", ".join(("request", "socket", "context", *extras))
            raise EventError(f"{self.event.value} handlers take ({expected}); {describe(self.function)} does not.")

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


def _bounds(function: Callable[..., Any]) -> tuple[int, float]:
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


def _module_of(handler: Handler) -> str:
    return str(getattr(inspect.unwrap(handler.function), "__module__", None))


def _origin(function: Callable[..., Any]) -> tuple[object, ...]:
    """Give file and name of a function, by which its newer self is recognised."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    # The main module and its second import may name their file differently, as after ``python ./app.py``.
    file = os.path.abspath(code.co_filename) if code is not None else getattr(function, "__module__", None)
    return file, getattr(function, "__qualname__", None) or id(function)


class Registry:
    """The handlers of a process, in order of registration."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[object, ...], Handler] = {}
        self._found: dict[tuple[str, object], tuple[Handler, ...]] = {}
        self._processors: dict[tuple[object, ...], Callable[..., Any]] = {}
        #: The functions around every event, the outermost first.
        self.processors: tuple[Callable[..., Any], ...] = ()
        self._runs: dict[str, object] = {}  # module -> its spec, which every reload makes anew

    def add(self, handler: Handler) -> None:
        """Add a handler; one with the same key is replaced where it stands.

        When a module has been reloaded, what its older run registered is forgotten: it may be gone from the file, or
        have another name. A handler of the main module never replaces that of the main file's second import: web.py
        takes the pages from there, so that handlers and pages share their globals.
        """
        key, module = self._key(handler), _module_of(handler)
        known = self._handlers.get(key)
        if known is not None and module == "__main__" != _module_of(known):
            return
        self._forget_older_run(module, handler)
        self._handlers[key] = handler
        self._found = {}

    def _forget_older_run(self, module: str, handler: Handler) -> None:
        where = getattr(inspect.unwrap(handler.function), "__globals__", None)
        if where is None:
            return  # an object that can be called does not tell which run of its module made it
        run = where.get("__spec__")
        if self._runs.setdefault(module, run) is not run:
            self._runs[module] = run
            self._handlers = {key: other for key, other in self._handlers.items() if _module_of(other) != module}

    @staticmethod
    def _key(handler: Handler) -> tuple[object, ...]:
        pattern = handler.pattern.pattern if handler.pattern else None
        return *_origin(handler.function), handler.event, handler.name, pattern, handler.namespace

    def add_processor(self, function: Callable[..., Any]) -> None:
        """Add a function around every event; the newest of a name in a file wins."""
        self._processors[_origin(function)] = function
        self.processors = tuple(self._processors.values())

    def of(self, namespace: str, event: Event) -> tuple[Handler, ...]:
        """Give the handlers of a stage in a namespace."""
        key = (namespace, event)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = tuple(
                h for h in self._handlers.values() if h.namespace == namespace and h.event is event
            )
        return found

    def named(self, namespace: str, name: str) -> tuple[Handler, ...]:
        """Give the handlers of an event by its name; ``message`` has those of both `on_message` and `on_event`.

        Where there are none, those of `on_event("*")`.
        """
        found = self._found.get((namespace, name))
        if found is None:
            here = [h for h in self._handlers.values() if h.namespace == namespace]
            found = tuple(h for h in here if self._is_for(h, name)) or tuple(h for h in here if h.name == ANY)
            if found and found[0].name != ANY:  # names come from clients: what nobody handles is not remembered
                self._found[(namespace, name)] = found
        return found

    @staticmethod
    def _is_for(handler: Handler, name: str) -> bool:
        return handler.name == name or (name == "message" and handler.event is Event.MESSAGE)

    def knows(self, namespace: str) -> bool:
        """Tell whether a client may ask for a namespace: ``/`` always, others if something handles them."""
        return namespace == "/" or any(h.namespace == namespace for h in self._handlers.values())

    def clear(self) -> None:
        """Forget all handlers."""
        self._handlers.clear()
        self._processors.clear()
        self.processors = ()
        self._found = {}


#: The handlers of this process.
registry = Registry()


class _Decorator:
    """``@on_message`` and ``@on_message(channel=…, namespace=…)``."""

    def __init__(self, event: Event) -> None:
        self._event = event

    @overload
    def __call__(self, function: F) -> F: ...
    @overload
    def __call__(self, *, channel: str | None = None, namespace: str = "/") -> Callable[[F], F]: ...
    def __call__(
        self, function: F | None = None, *, channel: str | None = None, namespace: str = "/"
    ) -> F | Callable[[F], F]:
        """Register a function for this event; ``channel`` is a regular expression (`re.match`)."""
        name = self._event.value
        if channel is not None and self._event is Event.CONNECT:
            raise EventError("on_connect takes no channel=: a socket that connects is subscribed to none yet.")
        if function is not None and not callable(function):
            raise EventError(f"Write @{name} or @{name}(channel=…), not @{name}({function!r}).")

        def register(function: F) -> F:
            registry.add(Handler(self._event, function, None, _normalise(namespace), channel))
            return function

        return register if function is None else register(function)


def _normalise(namespace: str) -> str:
    if not isinstance(namespace, str) or "," in namespace:
        raise EventError(f'namespace must be a string such as "/chat" without a comma, not {namespace!r}.')
    return namespace if namespace.startswith("/") else f"/{namespace}"


on_connect = _Decorator(Event.CONNECT)
on_message = _Decorator(Event.MESSAGE)
on_subscribe = _Decorator(Event.SUBSCRIBE)
on_unsubscribe = _Decorator(Event.UNSUBSCRIBE)
on_error = _Decorator(Event.ERROR)
on_disconnect = _Decorator(Event.DISCONNECT)
on_finish = _Decorator(Event.FINISH)


def on_event(name: str, *, channel: str | None = None, namespace: str = "/") -> Callable[[F], F]:
    """Register a function for the event ``name``, called as ``(request, socket, context, *args)``.

    The name ``"*"`` stands for all events that nothing else handles; their name comes before ``args``.

    Raises ``EventError`` for a name that Socket.IO or this package uses itself.
    """
    check_event_name(name)

    def register(function: F) -> F:
        registry.add(Handler(Event.NAMED, function, name, _normalise(namespace), channel))
        return function

    return register


def add_processor(function: F) -> F:
    """Have ``function(handler)`` run around every event, as web.py's processors run around requests.

    It calls ``handler()`` to go on and gives what that gave, or something else: the event's value, and so its ack.
    ``handler`` has ``request socket context event arguments``. The first one that was added is the outermost. May be
    used as a decorator. Raises ``EventError`` for what cannot be called with one argument.
    """
    least, most = _bounds(function)
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
