"""Sending without a socket at hand: from a view, another greenlet, another OS thread.

A foreign thread encodes its message itself, checks a snapshot, and hands the packet to the loop; it never waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import NoSocket, UsageError
from ..events import check_event_name
from ..transport.outbox import OutgoingPacket
from . import survey
from .fanout import deliver, make_event
from .hub import Hub, default_hub
from .socket_core import SocketCore

__all__ = [
    "broadcast",
    "broadcast_channel",
    "call",
    "channel_members",
    "channels",
    "clients",
    "disconnect",
    "emit",
    "send",
]


def send(session_id: str, message: object) -> None:
    """Send a message to one client. Raises ``NoSocket`` if there is none with this (public) session id."""
    hub = _hub()
    packet = make_event("/", None, ["message", message])
    socket = hub.sockets("/").get(session_id)
    if socket is None:
        raise NoSocket(f"There is no socket with the session ID: {session_id}")
    _deliver(hub, [socket], packet, message)


def broadcast(message: object) -> None:
    """Send a message to all clients. Raises ``NoSocket`` if there are none."""
    hub = _hub()
    packet = make_event("/", None, ["message", message])
    sockets = list(hub.sockets("/").values())
    if not sockets:
        raise NoSocket("There are no clients.")
    _deliver(hub, sockets, packet, message)


def broadcast_channel(message: object, channel: str) -> None:
    """Send a message to all subscribers of a channel. Raises ``NoSocket`` if there are none."""
    hub = _hub()
    packet = make_event("/", None, ["message", message])
    home = hub.namespaces.get("/")
    members = home.channels.members(channel) if home is not None else []
    if not members:
        raise NoSocket(f"There are no clients on the channel: {channel}")
    _deliver(hub, members, packet, message)


def _deliver(hub: Hub, sockets: list[SocketCore], packet: OutgoingPacket, message: object) -> None:
    deliver(hub, sockets, packet)
    _log(hub, ["message", message])


def _log(hub: Hub, arguments: list[object]) -> None:
    if hub.message_log.is_on():
        hub.message_log.write({}, "send", arguments)


def emit(
    event: str,
    *args: object,
    to: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    namespace: str = "/",
    volatile: bool = False,
) -> int:
    """Send an event to a channel, a session id, or several of both (``to``), or to everyone; to each receiver once.

    ``skip`` names those that do not get it, in the same way; a ``volatile`` event is dropped for clients that cannot
    take it at once. Returns the number of receivers in this process. Raises ``EventError`` for a reserved name.
    """
    check_event_name(event)
    hub = _hub()
    packet = make_event(namespace, None, [event, *args])
    receivers = _receivers(hub, namespace, to, skip)
    if volatile:
        receivers = {socket: None for socket in receivers if socket.takes_more}
    count = deliver(hub, receivers, packet)
    _log(hub, [event, *args])
    return count


def call(
    event: str,
    *args: object,
    to: str | Iterable[str] | None = None,
    timeout: float | None = 60,
    skip: str | Iterable[str] | None = None,
    namespace: str = "/",
) -> dict[str, Any]:  # Any: what clients answer is user data
    """Send an event as `emit` does, and wait for the acks; give ``{session_id: value}``.

    The value is a tuple if a client's ack has several, None if it has none. A client that leaves is not waited for, and
    not in the result. After ``timeout`` seconds (None: never) raises ``AnswersMissing``, a ``TimeoutError`` that has
    ``answers`` and ``missing``; at once if those that are missing could not be asked, as their outboxes are full. Waits
    in a view, in any greenlet or thread, and in a handler, whose socket then waits.
    """
    check_event_name(event)
    hub = _hub()
    receivers = _receivers(hub, namespace, to, skip)
    _log(hub, [event, *args])
    return survey.ask(hub, receivers, namespace, [event, *args], timeout)


def disconnect(to: str | Iterable[str], *, close: bool = False, namespace: str = "/") -> int:
    """Disconnect a session id, the subscribers of a channel, or several of both from a namespace; with ``close`` their
    connections too. Gives the number of those who were there. For everybody, give ``clients()``.
    """
    if to is None:
        raise UsageError("disconnect() takes a session id, a channel or a list of them; for everybody, clients().")
    hub = _hub()
    sockets = [socket for socket in _resolve(hub, namespace, to) if socket.connected]
    for socket in sockets:
        socket.disconnect(close)
    return len(sockets)


def _receivers(
    hub: Hub, namespace: str, to: str | Iterable[str] | None, skip: str | Iterable[str] | None
) -> dict[SocketCore, None]:
    receivers = _resolve(hub, namespace, to)
    if skip is not None:
        skipped = _resolve(hub, namespace, skip)
        receivers = {socket: None for socket in receivers if socket not in skipped}
    return receivers


def _listed(names: str | Iterable[str] | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _resolve(hub: Hub, namespace: str, to: str | Iterable[str] | None) -> dict[SocketCore, None]:
    """Find the sockets that ``to`` names: each once."""
    sockets = hub.sockets(namespace)
    if to is None:
        return dict.fromkeys(list(sockets.values()))
    found: dict[SocketCore, None] = {}
    home = hub.namespaces.get(namespace)
    for name in _listed(to):
        if name in sockets:
            found[sockets[name]] = None
        elif home is not None:
            found.update(dict.fromkeys(home.channels.members(name)))
    return found


def channels(namespace: str = "/") -> list[str]:
    """Give the names of all channels that have subscribers."""
    home = _hub().namespaces.get(namespace)
    return list(home.channels) if home is not None else []


def channel_members(channel: str, namespace: str = "/") -> list[str]:
    """Give the session ids of a channel's subscribers."""
    home = _hub().namespaces.get(namespace)
    return [socket.id for socket in home.channels.members(channel)] if home is not None else []


def clients(namespace: str = "/") -> list[str]:
    """Give the session ids of all clients."""
    return list(_hub().sockets(namespace))


def _hub() -> Hub:
    hub = default_hub()
    if hub.is_forked:
        raise UsageError(
            "This process was forked from a running server and has none of its clients. "
            "Send from the server's own process."
        )
    return hub
