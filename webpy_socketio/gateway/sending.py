"""Sending an answer to a client that may not read it, and ending the connection behind it.

It knows a gevent socket and how much of what it was given is still unacknowledged; nothing of HTTP.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import socket as socket_module
import struct
import termios
from typing import Any

import gevent

__all__ = ["WRITE_SIZE", "linger", "send_all", "send_answer", "shut", "unacknowledged"]

logger = logging.getLogger("webpy_socketio.server")

#: Bytes given to the kernel at a time.
WRITE_SIZE = 65_536


def send_answer(sock: Any, data: bytes | bytearray | memoryview, patience: float, peer: object) -> None:
    # Any: a gevent socket
    """Send all of it to ``peer``, which may be gone, or not read: then raise ``BrokenPipeError``."""
    try:
        send_all(sock, data, patience)
    except OSError as error:
        if isinstance(error, TimeoutError):
            logger.info("Gave up an answer to %s: the client does not read it", peer)
        # Of all ways in which a client may be gone, pywsgi takes only this one without a traceback.
        raise BrokenPipeError(errno.EPIPE, "the client is gone") from error


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


def shut(sock: Any, how: int) -> None:  # Any: as above
    """Shut a connection down that may be broken already."""
    try:
        sock.shutdown(how)
    except OSError:
        pass  # the client was first


def linger(sock: Any, patience: float) -> None:  # Any: as above
    """Let the client read our last answer, ``patience`` seconds: closing over what it still sends would reset the
    connection (RFC 9112 section 9.6).
    """
    shut(sock, socket_module.SHUT_WR)
    sock.settimeout(None)
    with gevent.Timeout(patience, False):  # type: ignore[arg-type]  # False: end the block without an error
        try:
            while sock.recv(WRITE_SIZE):
                gevent.sleep(0)  # a client that sends without a pause would keep the loop to itself
        except OSError:
            pass  # a reset tells as much
