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

__all__ = ["LazySocket", "NoBody", "open_reader"]


class LazySocket:
    """Owns ``raw``, a non-blocking ``_socket`` one, until it is closed or given away with ``unwrap``. Reading begins
    with ``early_data``, which somebody else has read before.
    """

    __slots__ = ("_early_data", "_raw", "_timeout", "_wrapped")

    def __init__(self, raw: Any, early_data: bytes) -> None:  # Any: `_socket.socket` has no public name
        self._raw = raw
        self._early_data = early_data
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

    def unwrap(self) -> tuple[Any, bytes]:  # Any: as above
        """Give the raw socket away, and what of the early data nobody has read."""
        raw, self._raw = self._raw, None
        if self._wrapped is not None:
            wrapped, self._wrapped = self._wrapped, None
            family, kind, protocol = wrapped.family, wrapped.type, wrapped.proto
            raw = _socket.socket(family, kind, protocol, fileno=wrapped.detach())
            raw.setblocking(False)
        early_data, self._early_data = self._early_data, b""
        return raw, early_data

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

    def send_now(self, data: bytes) -> int:
        """Send what the kernel takes without waiting. Nothing, if the connection is broken: ``send`` raises then."""
        try:
            return 0 if self._raw is None else int(self._raw.send(data))
        except OSError:
            return 0

    def recv_into(self, buffer: Any, *args: int) -> int:
        """Read into a buffer. Who does not want to wait has read before what there is (`Line`)."""
        early_data = self._early_data
        if early_data:
            count = min(len(buffer), len(early_data))
            buffer[:count] = early_data[:count]
            self._early_data = early_data[count:]
            return count
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


class NoBody(io.BytesIO):
    """The reader of a request without a body: as pywsgi's input, and as its buffered reader."""

    #: What `RequestBody` tells.
    is_over, is_unwanted = True, False

    def peek(self, size: int = 0) -> bytes:
        """Give what has come and was not read: nothing."""
        return b""

    def _discard(self) -> None:
        """Read what is left of the body: nothing, too."""


def open_reader(sock: LazySocket) -> io.BufferedReader:
    """Open a buffered reader."""
    return io.BufferedReader(socket_module.SocketIO(sock, "r"))  # type: ignore[arg-type]  # it has what this needs
