"""Sending without a socket at hand: from a view, another greenlet, another OS thread.

A foreign thread encodes its message itself, checks a snapshot, and hands the packet to the loop; it never waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import NoSocket, UsageError
from ..events import check_event_name
from ..transport.outbox import OutgoingPacket
from .fanout import deliver, make_event
from .hub import Hub, default_hub
from .socket import Socket

__all__ = ["broadcast", "broadcast_channel", "channel_members", "channels", "clients", "emit", "send"]


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


def _deliver(hub: Hub, sockets: list[Socket], packet: OutgoingPacket, message: object) -> None:
    if hub.is_mine():
        deliver(sockets, packet)
    else:
        hub.post(deliver, sockets, packet)
    if hub.message_log.is_on():
        hub.message_log.write({}, "send", ["message", message])


def emit(
    event: str,
    *args: object,
    to: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    namespace: str = "/",
    volatile: bool = False,
) -> int:
    """Send an event to a channel, a session id, or several of both (``to``), or to everyone; to each receiver once.

    ``skip`` names session ids that do not get it; a ``volatile`` event is dropped for clients that cannot take it at
    once. Returns the number of receivers in this process. Raises ``EventError`` for a reserved name.
    """
    check_event_name(event)
    hub = _hub()
    packet = make_event(namespace, None, [event, *args])
    receivers = _resolve(hub, namespace, to)
    skipped = set(_listed(skip))
    if skipped:
        receivers = {socket: None for socket in receivers if socket.id not in skipped}
    if volatile:
        receivers = {socket: None for socket in receivers if socket.client.is_writable}
    if hub.is_mine():
        return deliver(receivers, packet)
    hub.post(deliver, list(receivers), packet)
    return len(receivers)


def _listed(names: str | Iterable[str] | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _resolve(hub: Hub, namespace: str, to: str | Iterable[str] | None) -> dict[Socket, None]:
    """Find the sockets that ``to`` names: each once."""
    sockets = hub.sockets(namespace)
    if to is None:
        return dict.fromkeys(list(sockets.values()))
    found: dict[Socket, None] = {}
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
