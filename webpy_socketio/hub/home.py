"""The namespace that a socket lives in, and its session of old."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from ..channels import Channels

__all__ = ["Home", "Session"]

S = TypeVar("S", bound=Hashable)


class Home(Generic[S]):
    """The sockets of one namespace by their ids, and their channels.

    It is in ``homes`` by its name as long as anybody lives in it: where a namespace is a regular expression, clients
    make up the names. ``sockets`` are those that others can reach; whoever connects, or ends, lives here too.
    """

    __slots__ = ("_homes", "_inhabitants", "channels", "name", "sockets")

    def __init__(self, name: str, homes: dict[str, Home[S]]) -> None:
        self.name = name
        self.sockets: dict[str, S] = {}
        self.channels: Channels[S] = Channels()
        self._homes = homes
        self._inhabitants = 0

    def move_in(self) -> None:
        """Take note of one more socket."""
        self._inhabitants += 1
        self._homes[self.name] = self

    def move_out(self) -> None:
        """Take note that a socket is over; the last one closes the door."""
        self._inhabitants -= 1
        if not self._inhabitants and self._homes.get(self.name) is self:
            del self._homes[self.name]


class Session:
    """What ``socket.session`` gives: the old way to the public id."""

    __slots__ = ("session_id",)

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
