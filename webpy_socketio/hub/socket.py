"""The socket: what a handler holds. One client in one namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..errors import SocketClosed, UsageError
from ..events import check_event_name
from ..transport.outbox import OutgoingPacket
from .acks import CallWaiter
from .fanout import deliver, make_event
from .home import Session
from .socket_core import SocketCore, State
from .subscriptions import check_channel
from .volatile import Volatile

__all__ = ["Socket"]


class Socket(SocketCore):
    """One client in one namespace.

    ``id`` is its public session id (20 characters; that of a client of Engine.IO 3 looks otherwise and is a secret),
    ``request`` the handshake's environ, ``context`` a dictionary that lives as long as the connection, ``channel`` the
    channel that the message being handled was addressed to, ``reason`` why it ended.
    """

    __slots__ = ("__weakref__",)

    @property
    def session(self) -> Session:
        """Give an object whose ``session_id`` is ``id``."""
        return Session(self.id)

    # -- sending ------------------------------------------------------------------------------------------------------

    def emit(self, event: str, *args: object, callback: Callable[..., object] | None = None) -> bool:
        """Send an event; ``callback`` is called with the values of the client's ack. False if dropped or closed.

        Raises ``EventError`` for a reserved name, ``TypeError`` or ``ValueError`` for values that cannot be encoded.
        """
        check_event_name(event)
        return self._emit([event, *args], callback)

    def call(self, event: str, *args: object, timeout: float = 60) -> Any:  # Any: the client's answer is user data
        """Send an event and wait at most ``timeout`` seconds for the client's ack.

        Returns the ack's value, a tuple if there are several, None if there is none. Raises ``TimeoutError``, or
        ``SocketClosed`` as soon as the client is gone.
        """
        check_event_name(event)
        self._check_call()
        waiter = CallWaiter()
        id_ = self._open_ack(waiter)
        self.client.begin_call()
        try:
            if not self.queue(make_event(self.home.name, id_, [event, *args])):
                raise SocketClosed(f"The event {event!r} could not be sent: the client is gone, or its outbox is full.")
            return waiter.wait(event, timeout)
        finally:
            self.membership.take_ack(id_)
            self.client.end_call()

    def _check_call(self) -> None:
        if self.state is State.CONNECTING:
            raise UsageError("call() needs a connected client; in on_connect its answer could not come. Use emit().")
        if not self.connected:
            raise SocketClosed(f"The client is gone ({self.reason}).")
        if not self.hub.is_mine():
            raise UsageError("call() waits in the server's own loop; from another thread use emit(…, callback=…).")

    @property
    def volatile(self) -> Volatile:
        """Give what drops a message that could not leave at once: ``socket.volatile.emit("tick", 1)``."""
        return Volatile(self)

    # -- sending to others ------------------------------------------------------------------------------------------

    def broadcast(self, message: object) -> int:
        """Send a message to everyone else in the namespace. Gives the number of receivers."""
        return deliver(self.hub, self._others(), self._make_message(message, "broadcast"))

    def send_and_broadcast(self, message: object) -> int:
        """Send a message to everyone in the namespace, including this client."""
        return deliver(self.hub, [self, *self._others()], self._make_message(message, "broadcast"))

    def broadcast_channel(self, message: object, channel: str | None = None) -> int:
        """Send a message to all other subscribers of a channel, or of all own channels: to each once."""
        return self._spread_channel(message, channel, [])

    def send_and_broadcast_channel(self, message: object, channel: str | None = None) -> int:
        """Send a message to all subscribers of a channel, or of all own channels, and to this client, subscribed or
        not.
        """
        return self._spread_channel(message, channel, [self])

    def _others(self) -> list[SocketCore]:
        return [socket for socket in self.home.sockets.values() if socket is not self]

    def _spread_channel(self, message: object, channel: str | None, also: list[SocketCore]) -> int:
        packet = self._make_message(message, "broadcast_channel")
        if channel is not None and self.subscribing is not None and channel in self.subscribing:
            self.subscribing[channel].append(lambda: deliver(self.hub, self._members((channel,), also), packet))
            return 0
        return deliver(self.hub, self._members(self.channels if channel is None else (channel,), also), packet)

    def _members(self, channels: Iterable[str], also: list[SocketCore]) -> list[SocketCore]:
        receivers = self.home.channels.union(channels)
        receivers.pop(self, None)
        return [*also, *receivers]

    def _make_message(self, message: object, kind: str) -> OutgoingPacket:
        packet = make_event(self.home.name, None, ["message", message])
        if self.hub.message_log.is_on():
            self.hub.message_log.write(self.request, kind, ["message", message])
        return packet

    # -- channels ---------------------------------------------------------------------------------------------------

    def subscribe(self, channel: str) -> bool:
        """Subscribe to a channel, after ``on_subscribe``. False if a handler vetoed it or nothing changed."""
        check_channel(channel)
        return self.client.subscribe(self, channel)

    def unsubscribe(self, channel: str) -> bool:
        """Unsubscribe from a channel, after ``on_unsubscribe``. False if nothing changed."""
        return isinstance(channel, str) and self.client.unsubscribe(self, channel)
