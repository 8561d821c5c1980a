"""From the methods of a class to handlers: which there are, whether they fit, and what calls them.

It knows classes and signatures, nothing of sockets. `namespaces` has the class that applications derive from.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .errors import EventError
from .events import check_event_name
from .handler import ANY, UNKNOWN, Event, Handler, NamespaceName, Origin, bounds, describe

__all__ = ["STAGES", "class_origin", "make_handlers", "method_of", "packet_methods"]

#: Methods that are no events by name, with what they get behind ``self``.
STAGES: dict[str, tuple[Event, tuple[str, ...]]] = {
    "on_connect": (Event.CONNECT, ("auth",)),
    "on_disconnect": (Event.DISCONNECT, ("reason",)),
    "on_message": (Event.MESSAGE, ("message",)),
    "on_subscribe": (Event.SUBSCRIBE, ("channel",)),
    "on_unsubscribe": (Event.UNSUBSCRIBE, ("channel",)),
    "on_error": (Event.ERROR, ("exception",)),
    "on_finish": (Event.FINISH, ()),
}
#: Methods that the base class has too, likewise.
_OVERRIDDEN: dict[str, tuple[str, ...]] = {
    "initialize": (),
    "recv_connect": (),
    "recv_disconnect": (),
    "recv_message": ("data",),
    "recv_json": ("data",),
    "recv_error": ("packet",),
    "recv_event": ("name", "*args"),
    "process_event": ("packet",),
}
_NO_NAME = re.compile(r"\W")

Adapter = Callable[..., Any]  # Any: arguments and values of handlers are user data


def method_of(event: str) -> str:
    """Give the name of the method for an event: what a name in Python cannot have is an underscore there."""
    return f"on_{_NO_NAME.sub('_', event)}"


class MethodHandler(Handler):
    """A method as a handler. Events by name are those that the method's name stands for."""

    __slots__ = ()

    def is_for(self, name: str) -> bool:
        """Tell whether the handler is for events of a name."""
        if super().is_for(name):
            return True
        # The lengths are the same, so that nobody's long names are rewritten in vain.
        is_near = self.event is Event.NAMED and self.name is not None and len(self.name) == len(name)
        return is_near and self.name == _NO_NAME.sub("_", name)


def class_origin(cls: type[Any]) -> Origin:
    """Tell where a class comes from."""
    module = sys.modules.get(cls.__module__)
    files = [value.__code__.co_filename for value in vars(cls).values() if inspect.isfunction(value)]
    file = files[0] if files else getattr(module, "__file__", None) or cls.__module__
    run = UNKNOWN if module is None else getattr(module, "__spec__", None)
    return Origin((os.path.abspath(file), cls.__qualname__), cls.__module__, run)


def make_handlers(cls: type[Any], base: type[Any], namespace: NamespaceName) -> list[Handler]:
    """Make the handlers of a class derived from ``base``. Raises ``EventError`` for a method that does not fit."""
    events = {name: method for name, method in _methods(cls, base) if name.startswith("on_")}
    for name, (_, arguments) in STAGES.items():
        if name in events:
            _check(cls, name, arguments)
    overridden = [name for name in _OVERRIDDEN if getattr(cls, name) is not getattr(base, name)]
    for name in overridden:
        _check(cls, name, _OVERRIDDEN[name])
    maker = _Maker(cls, namespace)
    made = [maker.connect("on_connect" in events), maker.disconnect("on_disconnect" in events)]
    made += [maker.stage(name) for name in STAGES if name in events and name not in _SPECIAL]
    if "process_event" in overridden:
        return [*made, maker.process()]
    takers = [name for name in _MESSAGES if name in events or name in overridden]
    if takers:
        made.append(maker.message(takers))
    made += [maker.named(name, name.removeprefix("on_")) for name in events if name not in STAGES]
    if "recv_error" in overridden:
        made.append(maker.named("recv_error", "error"))
    if "recv_event" in overridden:
        made.append(maker.any())
    return made


#: Stages that have a way of their own, and the methods for messages: the first one that is there, texts apart.
_SPECIAL = ("on_connect", "on_disconnect", "on_message")
_MESSAGES: tuple[str, ...] = ("on_message", "recv_json", "recv_message")


def _methods(cls: type[Any], base: type[Any]) -> Iterator[tuple[str, Any]]:
    """Give what the classes of the application have that can be called, in order of definition."""
    own = [one for one in reversed(cls.__mro__) if one not in base.__mro__]
    for name in dict.fromkeys(name for one in own for name in vars(one)):
        if callable(getattr(cls, name)):
            yield name, getattr(cls, name)


def _bounds(cls: type[Any], name: str) -> tuple[int, float]:
    """Give the least and the largest number of arguments that a method takes behind ``self``."""
    least, most = bounds(getattr(cls, name))
    bound = 0 if isinstance(inspect.getattr_static(cls, name), (classmethod, staticmethod)) else 1
    return max(least - bound, 0), most - bound


def _check(cls: type[Any], name: str, arguments: tuple[str, ...]) -> None:
    least, most = _bounds(cls, name)
    fits = most == float("inf") if arguments[-1:] == ("*args",) else least <= len(arguments) <= most
    if not fits and not (name == "recv_event" and most >= 1):
        expected = ", ".join(("self", *arguments))
        raise EventError(f"{cls.__name__}.{name} takes ({expected}); {describe(getattr(cls, name))} does not.")


def packet_methods(cls: type[Any], base: type[Any]) -> frozenset[str]:
    """Give the methods whose only argument is named ``packet``: they get all of it, as in gevent-socketio."""
    found = set()
    for name, method in _methods(cls, base):
        if name.startswith(("on_", "recv_")) and (name not in STAGES or name == "on_message"):
            try:
                parameters = list(inspect.signature(method).parameters)
            except (TypeError, ValueError):
                continue
            if parameters[-2:] == ["self", "packet"] or parameters == ["packet"]:
                found.add(name)
    return frozenset(found | {"recv_error"})


class _Maker:
    """Makes the handlers of one class."""

    def __init__(self, cls: type[Any], namespace: NamespaceName) -> None:
        self._cls = cls
        self._namespace = namespace
        self._origin = class_origin(cls)

    def _handler(self, event: Event, adapter: Adapter, name: str | None, method: str) -> MethodHandler:
        handler = MethodHandler(event, adapter, name, self._namespace, None, self._origin)
        function = getattr(self._cls, method)
        # For the texts of errors only, now that the handler knows what the adapter takes.
        adapter.__qualname__ = f"{self._cls.__qualname__}.{method}"
        adapter.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # what `inspect` looks at
        return handler

    def connect(self, has_own: bool) -> Handler:
        """Make the handler that begins an instance."""
        cls = self._cls

        def connect(request: Any, socket: Any, context: Any) -> Any:
            instance = cls.of(socket)
            packet = {"type": "connect", "endpoint": socket.namespace}
            if has_own and instance.call_method("on_connect", packet, request.auth) is False:
                return False
            return instance.call_method("recv_connect", packet)

        return self._handler(Event.CONNECT, connect, None, "recv_connect")

    def disconnect(self, has_own: bool) -> Handler:
        """Make the handler that ends an instance."""
        cls = self._cls

        def disconnect(request: Any, socket: Any, context: Any) -> None:
            instance = cls.of(socket, create=False)
            if instance is None:
                return  # it was registered after the client had come
            packet = {"type": "disconnect", "endpoint": socket.namespace}
            try:
                if has_own:
                    instance.call_method("on_disconnect", packet, socket.reason)
            finally:
                if not instance.is_disconnected:
                    instance.call_method("recv_disconnect", packet)

        return self._handler(Event.DISCONNECT, disconnect, None, "recv_disconnect")

    def stage(self, method: str) -> Handler:
        """Make the handler of any other stage."""
        cls, event = self._cls, STAGES[method][0]

        def run(request: Any, socket: Any, context: Any, *arguments: Any) -> Any:
            return cls.of(socket).call_method(method, {"type": method, "endpoint": socket.namespace}, *arguments)

        return self._handler(event, run, None, method)

    def message(self, takers: list[str]) -> Handler:
        """Make the handler of messages: ``on_message``, or else what is there of the old ones, texts apart."""
        cls, of_texts, of_others = self._cls, takers[0] if takers[0] == "on_message" else takers[-1], takers[0]

        def receive(request: Any, socket: Any, context: Any, message: Any) -> Any:
            is_text = isinstance(message, (str, bytes))
            packet = {"type": "message" if is_text else "json", "data": message, "endpoint": socket.namespace}
            return cls.of(socket).call_method_with_acl(of_texts if is_text else of_others, packet, message)

        return self._handler(Event.MESSAGE, receive, None, takers[0])

    def named(self, method: str, name: str) -> Handler:
        """Make the handler of an event by its name."""
        check_event_name(name)
        cls, (least, most) = self._cls, _bounds(self._cls, method)
        if most < 0:
            raise EventError(f"{cls.__name__}.{method} takes (self, *args); {describe(getattr(cls, method))} does not.")

        def run(request: Any, socket: Any, context: Any, event: str, *arguments: Any) -> Any:
            return cls.of(socket).call_method_with_acl(method, _packet(socket, event, arguments), *arguments)

        handler = self._handler(Event.NAMED, run, name, method)
        handler.takes_name = True
        if method not in cls.packet_methods:  # or else it takes any number of arguments
            handler.least, handler.most = least + 4, most + 4  # request, socket, context and the name come before
        return handler

    def any(self) -> Handler:
        """Make the handler of the events that nothing else handles."""
        cls = self._cls

        def run(request: Any, socket: Any, context: Any, event: str, *arguments: Any) -> Any:
            packet = _packet(socket, event, arguments)
            return cls.of(socket).call_method_with_acl("recv_event", packet, event, *arguments)

        return self._handler(Event.NAMED, run, ANY, "recv_event")

    def process(self) -> Handler:
        """Make the handler of all events, for a class that dispatches itself."""
        cls = self._cls

        def run(request: Any, socket: Any, context: Any, event: str, *arguments: Any) -> Any:
            return cls.of(socket).process_event(_packet(socket, event, arguments))

        return self._handler(Event.NAMED, run, ANY, "process_event")


def _packet(socket: Any, name: str, arguments: Sequence[Any]) -> dict[str, Any]:
    return {"type": "event", "name": name, "args": list(arguments), "endpoint": socket.namespace}
