"""Subscribing and unsubscribing, with the events around it."""

from __future__ import annotations

import logging
import re
from typing import Any

from ..errors import UsageError
from ..events import Event
from .handlers import ask_stage, run_stage
from .socket_core import SocketCore

__all__ = ["announce_unsubscribes", "check_channel", "may_subscribe", "subscribe", "unsubscribe"]

logger = logging.getLogger("webpy_socketio.hub")

#: What looks like a session id (with a namespace before it: a client's of Engine.IO 3): `to=` takes both, so no
#: channel may be named like one.
_ID_SHAPE = re.compile(r"(?:/[^#]*#)?[A-Za-z0-9_-]{20}")


def may_subscribe(socket: SocketCore, arguments: list[Any]) -> bool:  # Any: what the client sent
    """Tell whether a client may ask for a channel like this; if not, the log says why."""
    channel = arguments[0] if arguments else None
    config = socket.hub.config
    if not isinstance(channel, str) or not channel:
        problem = "a channel must be a string that is not empty"
    elif len(channel) > config.max_channel_name:
        socket.client.strike("max_channel_name", len(channel), config.max_channel_name, "subscribing")
        return False
    elif _ID_SHAPE.fullmatch(channel):
        problem = "a channel named like a session id"
    elif (count := socket.client.count_channels()) >= config.max_channels:
        socket.client.strike("max_channels", count + 1, config.max_channels, "subscribing")
        return False
    else:
        return True
    logger.info("Socket %s may not subscribe: %s", socket.label, problem)
    return False


def check_channel(channel: object) -> None:
    """Check the name of a channel that the application subscribes a socket to. Raises ``UsageError``."""
    if not isinstance(channel, str) or not channel:
        raise UsageError(f"A channel is named by a string, not {channel!r}.")
    if _ID_SHAPE.fullmatch(channel):
        raise UsageError(
            f"{channel!r} looks like a session id (20 letters, digits, _ or -); name the channel otherwise."
        )


def subscribe(socket: SocketCore, channel: str) -> bool:
    """Run ``on_subscribe`` and subscribe, unless a handler gives False, or it is done or under way already."""
    if not socket.connected or socket.home.channels.holds(socket, channel):
        return False
    if socket.subscribing is None:
        socket.subscribing = {}
    if channel in socket.subscribing:
        return False
    socket.subscribing[channel] = []
    try:
        allowed = ask_stage(socket, Event.SUBSCRIBE, channel, channel=channel)
    finally:
        postponed = socket.subscribing.pop(channel)
    if not allowed or not socket.connected:
        return False
    socket.home.channels.subscribe(socket, channel)
    for send in postponed:
        send()
    return True


def unsubscribe(socket: SocketCore, channel: str) -> bool:
    """Run ``on_unsubscribe`` while the socket is still subscribed, then unsubscribe; False if nothing changes."""
    if not socket.home.channels.holds(socket, channel):
        return False
    if socket.unsubscribing is None:
        socket.unsubscribing = set()
    if channel in socket.unsubscribing:
        return False
    socket.unsubscribing.add(channel)
    try:
        run_stage(socket, Event.UNSUBSCRIBE, channel, channel=channel)
    finally:
        socket.unsubscribing.discard(channel)
        socket.home.channels.unsubscribe(socket, channel)
    return True


def announce_unsubscribes(socket: SocketCore) -> None:
    """Run ``on_unsubscribe`` for each channel of a socket that ends; it stays subscribed until all is over.

    May be called again after it was interrupted: no channel is announced twice.
    """
    if socket.unsubscribing is None:
        socket.unsubscribing = set()
    for channel in socket.channels:
        if channel not in socket.unsubscribing:
            socket.unsubscribing.add(channel)
            run_stage(socket, Event.UNSUBSCRIBE, channel, channel=channel)
