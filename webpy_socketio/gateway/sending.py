"""Sending an answer to a client that may not read it.

It knows a gevent socket and how much of what it was given is still unacknowledged; nothing of HTTP.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Any

__all__ = ["WRITE_SIZE", "send_all", "unacknowledged"]

#: Bytes given to the kernel at a time.
WRITE_SIZE = 65_536


def send_all(sock: Any, data: bytes | bytearray | memoryview, patience: float) -> None:  # Any: a gevent socket
    """Send all of it, however long that takes, as long as the client takes some of it in every ``patience`` seconds.

    Raises ``TimeoutError`` when it does not, and ``OSError`` for a broken connection.
    """
    left = memoryview(data)
    usual = sock.gettimeout()
    sock.settimeout(patience / 2)
    try:
        while left:
            left = left[_send_some(sock, left[:WRITE_SIZE]) :]
    finally:
        sock.settimeout(usual)


def _send_some(sock: Any, data: memoryview) -> int:
    queued = -1
    while True:
        try:
            return int(sock.send(data))
        except TimeoutError:
            # A socket is writable only when a good part of its buffer is free, which may take a slow client minutes.
            # Without the mark of an earlier time-out nobody can tell, so that it takes two.
            before, queued = queued, unacknowledged(sock)
            if 0 <= before <= queued:
                raise


def unacknowledged(sock: Any) -> int:
    """Give the number of bytes that the kernel keeps for the peer (tcp(7), SIOCOUTQ)."""
    size: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return size
