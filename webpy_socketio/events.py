"""The application's events: the decorators, and the registry of handlers that they fill.

It knows signatures and names, nothing of sockets. A handler is keyed by its file, its qualified name, its event and its
channel pattern, and the newest wins in the place of the older one: web.py's debug mode imports the main file a second
time, and once more per saved edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .errors import EventError
from .handler import (
    ANY,
    LAST_STAGES,
    UNKNOWN,
    Event,
    Handler,
    NamespaceName,
    bounds,
    describe,
    normalise_namespace,
    origin_of,
)
from .limit_rules import LimitRules, Violation
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

#: Lookups that are remembered: where a namespace is a regular expression, clients make up its names.
MAX_FOUND = 10_000
#: Characters of an event's name that is remembered though no handler is for it by name: looking for one takes longer
#: than most handlers.
MAX_NAME = 64


class Registry:
    """The handlers of a process, in order of registration."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[object, ...], Handler] = {}
        self._found: dict[tuple[str, object], tuple[Handler, ...]] = {}
        self._processors: dict[tuple[object, ...], Callable[..., Any]] = {}
        #: The functions around every event, the outermost first.
        self.processors: tuple[Callable[..., Any], ...] = ()
        self.limits = LimitRules()
        self._served: tuple[frozenset[str], tuple[re.Pattern[str], ...]] | None = None
        self._runs: dict[str, object] = {}  # module -> its spec, which every reload makes anew

    def add(self, handler: Handler) -> None:
        """Add a handler; one with the same key is replaced where it stands.

        When a module has been reloaded, what its older run registered is forgotten: it may be gone from the file, or
        have another name. A handler of the main module never replaces that of the main file's second import: web.py
        takes the pages from there, so that handlers and pages share their globals.
        """
        key, module = self._key(handler), handler.origin.module
        known = self._handlers.get(key)
        if known is not None and module == "__main__" != known.origin.module:
            return
        self._forget_older_run(module, handler.origin.run)
        self._handlers[key] = handler
        self._forget_found()

    def _forget_older_run(self, module: str, run: object) -> None:
        if run is not UNKNOWN and self._runs.setdefault(module, run) is not run:
            self._runs[module] = run
            self._handlers = {key: other for key, other in self._handlers.items() if other.origin.module != module}

    def _forget_found(self) -> None:
        self._found = {}
        self._served = None

    @staticmethod
    def _key(handler: Handler) -> tuple[object, ...]:
        pattern = handler.pattern.pattern if handler.pattern else None
        return *handler.origin.key, handler.event, handler.name, pattern, handler.namespace

    def add_processor(self, function: Callable[..., Any]) -> None:
        """Add a function around every event; the newest of a name in a file wins."""
        self._processors[origin_of(function).key] = function
        self.processors = tuple(self._processors.values())

    def add_limit_hook(self, function: Callable[[Violation], object]) -> None:
        """Add a function that hears of violations of limits; the newest of a name in a file wins."""
        self.limits.add_hook(origin_of(function).key, function)

    def of(self, namespace: str, event: Event) -> tuple[Handler, ...]:
        """Give the handlers of a stage in a namespace."""
        found = self._found.get((namespace, event))
        if found is None:
            found = tuple(h for h in self._handlers.values() if h.event is event and h.serves(namespace))
            self._remember((namespace, event), found)
        return found

    def named(self, namespace: str, name: str) -> tuple[Handler, ...]:
        """Give the handlers of an event by its name; ``message`` has those of both `on_message` and `on_event`.

        Where there are none, those of `on_event("*")`.
        """
        found = self._found.get((namespace, name))
        if found is None:
            here = [h for h in self._handlers.values() if h.serves(namespace)]
            found = tuple(h for h in here if h.is_for(name)) or tuple(h for h in here if h.name == ANY)
            # What nobody handles by its name has a name that a client made up, of any length.
            if (found and found[0].name != ANY) or len(name) <= MAX_NAME:
                self._remember((namespace, name), found)
        return found

    def _remember(self, key: tuple[str, object], found: tuple[Handler, ...]) -> None:
        if len(self._found) >= MAX_FOUND:
            self._found = {}
        self._found[key] = found

    def knows(self, namespace: str) -> bool:
        """Tell whether a client may ask for a namespace: ``/`` always, others if something handles them."""
        if self._served is None:
            served = {handler.namespace for handler in self._handlers.values()}
            names = frozenset(one for one in served if isinstance(one, str))
            self._served = names, tuple(one for one in served if not isinstance(one, str))
        names, patterns = self._served
        return namespace == "/" or namespace in names or any(one.match(namespace) for one in patterns)

    def clear(self) -> None:
        """Forget all handlers."""
        self._handlers.clear()
        self._processors.clear()
        self.processors = ()
        self.limits.clear()
        self._forget_found()


#: The handlers of this process.
registry = Registry()


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
