"""How many sessions each address has.

An address here is what one customer of a provider usually has: one of IPv4, or the 2^64 of a network of IPv6.
"""

from __future__ import annotations

import ipaddress

__all__ = ["Addresses", "group_of"]

#: Bits of an IPv6 address that tell one customer from another (RFC 6177 hands out no smaller networks).
_NETWORK_BITS = 64


def group_of(address: str) -> str:
    """Give what an address counts as: itself, or its /64; a text that is no address is its own group."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, _NETWORK_BITS), strict=False))


class Addresses:
    """Counts the sessions of each address, up to ``limit`` (None: nothing is counted)."""

    __slots__ = ("_counts", "_groups", "limit")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._counts: dict[str, int] = {}
        self._groups: dict[str, str] = {}

    def enter(self, address: str) -> str | None:
        """Take a place for a session that may come about; give its group, or None if all places are taken."""
        group = group_of(address)
        count = self._counts.get(group, 0)
        if self.limit is not None and count >= self.limit:
            return None
        self._counts[group] = count + 1
        return group

    def leave(self, group: str) -> None:
        """Give a place back."""
        count = self._counts.get(group, 0) - 1
        if count > 0:
            self._counts[group] = count
        else:
            self._counts.pop(group, None)

    def keep(self, sid: str, group: str) -> None:
        """Leave a place to a session, until it ends."""
        self._groups[sid] = group

    def end(self, sid: str) -> None:
        """Give the place of a session back, if it has one."""
        group = self._groups.pop(sid, None)
        if group is not None:
            self.leave(group)

    def clear(self) -> None:
        """Forget everybody."""
        self._counts.clear()
        self._groups.clear()

    def __len__(self) -> int:
        """Count the addresses."""
        return len(self._counts)
