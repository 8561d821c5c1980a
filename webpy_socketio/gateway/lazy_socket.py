"""A raw socket that becomes gevent's as soon as somebody has to wait for it.

Most requests have come whole when their greenlet begins, and most answers fit into the kernel's buffer: gevent's own
socket with its watchers, which costs as much as a small answer, is only made for the others.
"""

from __future__ import annotations

import _socket
import errno
import io
import socket as socket_module
from typing import Any

from gevent import socket as gevent_socket

__all__ = ["EarlyReader", "LazySocket", "open_reader"]


class LazySocket:
    """Owns ``raw``, a non-blocking ``_socket`` one, until it is closed or given away with ``unwrap``."""

    def __init__(self, raw: Any) -> None:  # Any: `_socket.socket` has no public name
        self.family = raw.family
        self._raw = raw
        self._wrapped: Any = None
        self._timeout: float | None = None

    def __getattr__(self, name: str) -> Any:  # Any: whatever gevent's socket has
        return getattr(self.wrap(), name)

    def wrap(self) -> Any:  # Any: gevent's socket is typed as the standard library's
        """Give gevent's socket; it is made if there is none yet."""
        if self._wrapped is None:
            if self._raw is None:
                raise OSError(errno.EBADF, "the socket is closed, or somebody else's")
            raw, self._raw = self._raw, None
            self._wrapped = gevent_socket.socket(raw.family, raw.type, raw.proto, fileno=raw.detach())
            self._wrapped.settimeout(self._timeout)
        return self._wrapped

    def unwrap(self) -> Any:  # Any: as above
        """Give the raw socket away."""
        raw, self._raw = self._raw, None
        if self._wrapped is not None:
            wrapped, self._wrapped = self._wrapped, None
            kind, protocol = wrapped.type, wrapped.proto
            raw = _socket.socket(self.family, kind, protocol, fileno=wrapped.detach())
            raw.setblocking(False)
        return raw

    def gettimeout(self) -> float | None:
        """Give the seconds that one call may wait."""
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        """Let each call wait for ``timeout`` seconds at most, None for ever."""
        self._timeout = timeout
        if self._wrapped is not None:
            self._wrapped.settimeout(timeout)

    def setblocking(self, blocking: bool) -> None:
        """Wait for ever, or never."""
        self.settimeout(None if blocking else 0.0)

    def fileno(self) -> int:
        """Give the descriptor, -1 if it is somebody else's."""
        sock = self._raw if self._wrapped is None else self._wrapped
        return -1 if sock is None else int(sock.fileno())

    def send(self, data: Any) -> int:
        """Send what the kernel takes, waiting only if that is nothing."""
        if self._raw is not None:
            try:
                return int(self._raw.send(data))
            except BlockingIOError:
                pass
        return int(self.wrap().send(data))

    def recv_into(self, buffer: Any, *args: int) -> int:
        """Read into a buffer. Who does not want to wait has read before what there is (`Line`)."""
        if self._raw is not None and self._timeout == 0.0:
            raise BlockingIOError(errno.EAGAIN, "nothing has come since")
        return int(self.wrap().recv_into(buffer, *args))

    def close(self) -> None:
        """Close it, if it is still ours."""
        for sock in (self._raw, self._wrapped):
            if sock is not None:
                sock.close()
        self._raw = self._wrapped = None

    def abandon(self) -> Any:  # Any: as above
        """Drop a forked child's copy; gives gevent's socket, if there is one, which needs more care."""
        if self._raw is not None:
            socket_module.close(self._raw.detach())
        return self._wrapped

    def _decref_socketios(self) -> None:
        """The standard library's readers tell that they are closed; whoever serves the connection closes it."""


class EarlyReader(socket_module.SocketIO):
    """A reader that begins with what was read before."""

    def __init__(self, sock: Any, early_data: bytes) -> None:
        super().__init__(sock, "r")
        self._early_data = early_data

    def readinto(self, buffer: Any) -> int | None:
        """Give what came early, then what comes."""
        early_data = self._early_data
        if not early_data:
            return super().readinto(buffer)
        count = min(len(buffer), len(early_data))
        buffer[:count] = early_data[:count]
        self._early_data = early_data[count:]
        return count

    def take_early_data(self) -> bytes:
        """Give what was read before and nobody has asked for yet."""
        early_data, self._early_data = self._early_data, b""
        return early_data


def open_reader(sock: LazySocket, early_data: bytes) -> io.BufferedReader:
    """Open a buffered reader that begins with ``early_data``."""
    return io.BufferedReader(EarlyReader(sock, early_data))
