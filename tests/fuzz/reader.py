"""Take an input apart: decisions from its first bytes, the rest as data."""

from __future__ import annotations


class Reader:
    """Gives pieces of ``data``; zeros and nothing once it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Give the next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def rest(self) -> bytes:
        """Give all that is left."""
        return self._data[self._at :]


def pieces(data: bytes, seed: int) -> list[bytes]:
    """Cut ``data`` as a network might: whole (0), byte by byte (1), or in pieces of sizes that follow from ``seed``."""
    if seed == 0:
        return [data]
    found, at = [], 0
    while at < len(data):
        size = 1 if seed == 1 else 1 + seed % 29
        seed = (seed * 75 + 74) % 65_537
        found.append(data[at : at + size])
        at += size
    return found


def masked(first: int, payload: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    """Build a client's frame (RFC 6455 section 5.2); a mask of zeros lets the fuzzer see what it writes."""
    size = len(payload)
    extended = 0 if size < 126 else 2 if size < 65_536 else 8
    length = {0: size, 2: 126, 8: 127}[extended]
    more = size.to_bytes(extended, "big") if extended else b""
    return bytes((first, 0x80 | length)) + more + mask + payload
