"""Who is subscribed to what: two dictionaries, so that every question costs what its answer is long.

It knows names and members, nothing of sockets; one `Channels` serves one namespace.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Channels"]

M = TypeVar("M", bound=Hashable)


class Channels(Generic[M]):
    """The channels of one namespace. Subscribing and unsubscribing are O(1), leaving all is O(own channels)."""

    __slots__ = ("_channels", "_members")

    def __init__(self) -> None:
        # Dictionaries for their order: members in order of subscription, a member's channels likewise.
        self._members: dict[str, dict[M, None]] = {}
        self._channels: dict[M, dict[str, None]] = {}

    def subscribe(self, member: M, channel: str) -> bool:
        """Subscribe a member; False if it was already."""
        members = self._members.setdefault(channel, {})
        if member in members:
            return False
        members[member] = None
        self._channels.setdefault(member, {})[channel] = None
        return True

    def unsubscribe(self, member: M, channel: str) -> bool:
        """Unsubscribe a member; False if it was not subscribed. An empty channel ceases to be."""
        members = self._members.get(channel)
        if members is None or member not in members:
            return False
        del members[member]
        if not members:
            del self._members[channel]
        channels = self._channels[member]
        del channels[channel]
        if not channels:
            del self._channels[member]
        return True

    def unsubscribe_all(self, member: M) -> None:
        """Take a member out of all its channels."""
        for channel in self.of(member):
            self.unsubscribe(member, channel)

    def of(self, member: M) -> list[str]:
        """Give a member's channels, in the order in which it subscribed."""
        return list(self._channels.get(member, ()))

    def count(self, member: M) -> int:
        """Count a member's channels."""
        return len(self._channels.get(member, ()))

    def holds(self, member: M, channel: str) -> bool:
        """Tell whether a member is subscribed to a channel."""
        return channel in self._channels.get(member, ())

    def members(self, channel: str) -> list[M]:
        """Give the members of a channel."""
        return list(self._members.get(channel, ()))

    def union(self, channels: Iterable[str]) -> dict[M, None]:
        """Give the members of any of the channels, each once."""
        found: dict[M, None] = {}
        for channel in channels:
            found.update(self._members.get(channel, {}))
        return found

    def __contains__(self, channel: str) -> bool:
        return channel in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._members))

    def __len__(self) -> int:
        return len(self._members)
