"""Class-based namespaces: one class per namespace, one instance per socket, one method per event.

The names are those of gevent-socketio's BaseNamespace, RoomsMixin and BroadcastMixin. What a name means follows today's
protocol where that has changed: an event ``message`` is what ``send`` sends, and a room is a channel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

import gevent
from gevent import GreenletExit

from .errors import SocketClosed
from .events import check_event_name, registry
from .handler import NamespaceName, normalise_namespace
from .hub.fanout import deliver, make_event
from .hub.handlers import run_on_error
from .hub.request import Request
from .hub.socket import Socket
from .hub.socket_core import SocketCore, State
from .method_access import MethodAccess
from .method_handlers import STAGES, class_origin, make_handlers, method_of, packet_methods
from .types import NO_ACK

__all__ = ["BaseNamespace", "BroadcastMixin", "Namespace", "RoomsMixin"]

logger = logging.getLogger("webpy_socketio.hub")

N = TypeVar("N", bound="Namespace")


class Namespace(MethodAccess):
    """What to derive the class of a namespace from.

    ``namespace = "/chat"`` in a class registers it; without one of its own a class is a base for others. It may be a
    compiled regular expression. Of an event ``move``, ``on_move(self, *args)`` is the handler, and what it returns is
    the ack; of ``user message``, ``user-message`` and ``user.message`` it is ``on_user_message``. A method whose only
    argument is named ``packet`` gets a dictionary with all of the event.

    Stages: ``on_connect(self, auth)``, ``on_disconnect(self, reason)``, ``on_message(self, message)``,
    ``on_subscribe(self, channel)``, ``on_unsubscribe(self, channel)``, ``on_error(self, exception)``,
    ``on_finish(self)``. They mean what the decorators of these names mean.

    ``socket`` is the socket, ``ns_name`` the namespace as the client asked for it, ``jobs`` what `spawn` has started,
    ``allowed_methods`` the methods that the client may reach, None for all. Raises ``EventError``, when the class is
    made, for a method that does not take what it is given.
    """

    namespace: ClassVar[NamespaceName]
    #: Methods that get all of a packet.
    packet_methods: ClassVar[frozenset[str]] = frozenset()
    _key: ClassVar[tuple[object, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:  # Any: for the bases of the application
        super().__init_subclass__(**options)
        cls.packet_methods = packet_methods(cls, Namespace)
        if "namespace" not in cls.__dict__:
            return
        namespace = normalise_namespace(cls.namespace)
        cls._key = (class_origin(cls).key, namespace)
        for handler in make_handlers(cls, Namespace, namespace):
            registry.add(handler)

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.ns_name = socket.namespace
        self.jobs: set[gevent.Greenlet[..., Any]] = set()
        self.is_disconnected = False
        self.reset_acl()

    # -- one instance per socket --------------------------------------------------------------------------------------

    @classmethod
    def of(cls: type[N], socket: Socket, *, create: bool = True) -> N | None:
        """Give the instance of a socket, which is made when there is none (``create``). For this package itself."""
        instances = socket.instances
        if instances is None:
            instances = socket.instances = {}
        known = instances.get(cls._key)
        if type(known) is cls:
            return known
        if known is not None:
            try:
                known.__class__ = cls  # its module was reloaded: the state goes on with the new methods
            except TypeError:
                known.kill_local_jobs()
            else:
                return cast(N, known)
        return cls._begin(socket, instances) if create else None

    @classmethod
    def _begin(cls: type[N], socket: Socket, instances: dict[object, Any]) -> N:  # Any: instances of all classes
        instance = instances[cls._key] = cls(socket)
        try:
            for one in cls.__mro__:
                if "initialize" in vars(one):
                    one.initialize(instance)  # type: ignore[attr-defined]  # it was just found there
        except BaseException:
            del instances[cls._key]
            instance.kill_local_jobs()
            raise
        return instance

    # -- for subclasses -----------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Set the instance up, before ``on_connect``. Called on all classes that have one, so do not call super()."""

    def recv_connect(self) -> Any:  # Any: False refuses
        """Take a client; as ``on_connect``, which runs before it, but without its auth."""

    def recv_disconnect(self) -> None:
        """Take note that the client is gone; unless the application called `disconnect` itself."""
        self.disconnect(silent=True)

    def recv_message(self, data: Any) -> Any:  # Any: user data
        """Take a message that is text or bytes, where there is no ``on_message``."""
        return data

    def recv_json(self, data: Any) -> Any:  # Any: as above
        """Take any other message, where there is no ``on_message``; without it ``recv_message`` gets all."""
        return data

    def recv_error(self, packet: dict[str, Any]) -> Any:  # Any: as above
        """Take the event ``error`` of the client."""

    def recv_event(self, name: str, *args: Any) -> Any:  # Any: as above
        """Take an event that nothing else handles."""
        return NO_ACK

    def process_event(self, packet: dict[str, Any]) -> Any:  # Any: as above
        """Find and call the method of an event. Override it to find others: then all events come here.

        ``packet`` has ``type name args endpoint``.
        """
        method, args = method_of(packet["name"]), packet["args"]
        if method in STAGES and method != "on_message":
            method = f"{method} of the client"  # these are ours to call
        return self.call_method_with_acl(method, packet, *args)

    def call_method_with_acl(self, method_name: str, packet: dict[str, Any], *args: Any) -> Any:  # Any: as above
        """Call a method for the client, if that may reach it; if not, tell it so by the event ``error``."""
        if not self.is_method_allowed(method_name):
            self.error("method_access_denied", f'You do not have access to method "{method_name}"')
            return NO_ACK
        return self.call_method(method_name, packet, *args)

    def call_method(self, method_name: str, packet: dict[str, Any], *args: Any) -> Any:  # Any: as above
        """Call a method with what it takes, inside ``exception_handler_decorator`` if the class has one."""
        method = getattr(self, method_name, None)
        if method is None:
            self.error("no_such_method", f'The method "{method_name}" was not found')
            return NO_ACK
        decorator = getattr(self, "exception_handler_decorator", None)
        if decorator is not None:
            method = decorator(method)
        return method(packet) if method_name in self.packet_methods else method(*args)

    # -- what it is about ---------------------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """Give the handshake's environ, with ``.cookies .query .auth .headers``."""
        return self.socket.request

    @property
    def environ(self) -> Request:
        """Give the handshake's environ."""
        return self.socket.request

    @property
    def session(self) -> dict[Any, Any]:  # Any: it is the application's
        """Give a dictionary that all namespaces of the client share; it lives as long as the connection."""
        return self.socket.client.shared

    @property
    def context(self) -> dict[Any, Any]:  # Any: as above
        """Give the dictionary of this socket, which functions get as ``context``."""
        return self.socket.context

    @property
    def rooms(self) -> list[str]:
        """Give the channels that the socket is subscribed to."""
        return self.socket.channels

    # -- sending ------------------------------------------------------------------------------------------------------

    def send(self, message: object, json: bool = False, callback: Callable[..., object] | None = None) -> bool:
        """Send a message to the client; ``callback`` is called with the values of its ack.

        ``json`` changes nothing any more: every message is JSON. False if it was dropped or the client is gone.
        """
        return self.socket.send(message) if callback is None else self.emit("message", message, callback=callback)

    def emit(self, event: str, *args: object, callback: Callable[..., object] | None = None) -> bool:
        """Send an event to the client; ``callback`` is called with the values of its ack."""
        return self.socket.emit(event, *args, callback=callback)

    def call(self, event: str, *args: object, timeout: float = 60) -> Any:  # Any: the client's answer is user data
        """Send an event to the client and wait for its ack, as ``socket.call`` does."""
        return self.socket.call(event, *args, timeout=timeout)

    def broadcast_event(self, event: str, *args: object) -> int:
        """Send an event to everyone in the namespace, including this client. Gives the number of receivers."""
        return self._spread({**self._others(), self.socket: None}, event, args)

    def broadcast_event_not_me(self, event: str, *args: object) -> int:
        """Send an event to everyone else in the namespace."""
        return self._spread(self._others(), event, args)

    def emit_to_room(self, room: str, event: str, *args: object) -> int:
        """Send an event to everyone else in a room."""
        members = self.socket.home.channels.members(room)
        return self._spread({member: None for member in members if member is not self.socket}, event, args)

    def error(self, error_name: str, error_message: str, msg_id: object = None, quiet: bool = False) -> None:
        """Log an error and, unless ``quiet``, tell the client: by the event ``error`` with name and text.

        ``msg_id`` changes nothing any more.
        """
        if not quiet:
            self.emit("error", error_name, error_message)
        logger.info("Socket %s of %s: %s: %s", self.socket.label, self.ns_name, error_name, error_message)

    # -- rooms and the end --------------------------------------------------------------------------------------------

    def subscribe(self, channel: str) -> bool:
        """Subscribe to a channel. False if a handler vetoed it or nothing changed."""
        return self.socket.subscribe(channel)

    def unsubscribe(self, channel: str) -> bool:
        """Unsubscribe from a channel. False if nothing changed."""
        return self.socket.unsubscribe(channel)

    join, leave = subscribe, unsubscribe

    def disconnect(self, silent: bool = False) -> None:
        """Disconnect the client from this namespace and end what `spawn` started; ``silent``: without telling it,
        unless it connects just now and waits for an answer.
        """
        self.is_disconnected = True
        if silent and self.socket.state is State.OPEN:
            self.socket.client.forget(self.socket)
        elif not silent or self.socket.state is State.CONNECTING:
            self.socket.disconnect()
        self.kill_local_jobs()

    # -- greenlets ----------------------------------------------------------------------------------------------------

    def spawn(self, function: Callable[..., Any], *args: Any, **options: Any) -> gevent.Greenlet[..., Any]:
        """Run a function in a greenlet that is killed when the socket ends. What it raises is treated as a handler's.

        Raises ``SocketClosed`` where it has ended.
        """
        if self.socket.state is State.ENDED:
            raise SocketClosed(f"The socket has ended ({self.socket.reason}), and so would the greenlet.")
        decorator = getattr(self, "exception_handler_decorator", None)
        if decorator is not None:
            function = decorator(function)
        job = gevent.spawn(self._run_job, function, args, options)
        self.jobs.add(job)
        job.rawlink(self.job_done)
        return job

    def _run_job(self, function: Callable[..., Any], args: Any, options: Any) -> Any:  # Any: the application's
        try:
            return function(*args, **options)
        except (GreenletExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # as for handlers
            logger.error("A greenlet of socket %s failed", self.socket.label, exc_info=error)
            if self.socket.state is not State.ENDED:
                self.socket.hub.workers.put(self.socket.mailbox, run_on_error, self.socket, error)

    def job_done(self, job: gevent.Greenlet[..., Any]) -> None:
        """Forget a greenlet that has ended."""
        self.jobs.discard(job)

    def kill_local_jobs(self) -> None:
        """End what `spawn` has started: ``GreenletExit`` is raised there, which is not waited for."""
        gevent.killall(list(self.jobs), GreenletExit, block=False)
        self.jobs.clear()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _others(self) -> dict[SocketCore, None]:
        return {socket: None for socket in list(self.socket.home.sockets.values()) if socket is not self.socket}

    def _spread(self, receivers: dict[SocketCore, None], event: str, args: Sequence[object]) -> int:
        check_event_name(event)
        arguments = [event, *args]
        count = deliver(self.socket.hub, receivers, make_event(self.ns_name, None, arguments))
        if self.socket.hub.message_log.is_on():
            self.socket.hub.message_log.write(self.socket.request, "broadcast", arguments)
        return count


#: The names of gevent-socketio.
BaseNamespace = Namespace


class RoomsMixin:
    """Nothing: a `Namespace` has the methods for rooms itself."""


class BroadcastMixin:
    """Nothing: a `Namespace` has the methods for broadcasts itself."""
