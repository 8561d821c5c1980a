"""The registry of handlers: which of them an event is for.

A handler is keyed by its file, its qualified name, its event and its channel pattern, and the newest wins in the place
of the older one: web.py's debug mode imports the main file a second time, and once more per saved edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .handler import ANY, UNKNOWN, Event, Handler, origin_of
from .limit_rules import LimitRules, Violation

__all__ = ["Registry", "registry"]

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
