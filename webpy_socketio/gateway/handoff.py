"""How the raw socket of a request is obtained from the server that accepted it.

The server puts one mutable `Connection` into the environ (middleware may copy the environ; an object survives that).
Servers without one of ours serve long-polling only.
"""

from __future__ import annotations

import _socket
import socket as socket_module
import ssl
from typing import Any, Protocol

from ..transport.link import peer_is_gone
from ..types import Environ
from .lazy_socket import LazySocket

__all__ = ["KEY", "Connection", "PywsgiConnection", "connection_of", "take_socket"]

#: The environ's key for the connection.
KEY = "webpy_socketio.connection"


class Connection(Protocol):
    """The connection of one request."""

    @property
    def is_taken(self) -> bool:
        """Tell whether the raw socket was taken: the server must not touch it any more."""

    def is_gone(self) -> bool:
        """Tell whether the peer has closed."""

    def take(self) -> tuple[Any, bytes]:  # Any: a raw socket, or an SSLSocket
        """Take the raw, non-blocking socket and the bytes that came behind the request's head."""


def connection_of(environ: Environ) -> Connection | None:
    """Find the connection of a request; None on a server that does not give it."""
    return environ.get(KEY)  # type: ignore[return-value]  # only servers of ours use this key


class PywsgiConnection:
    """The connection of a request that gevent's pywsgi serves."""

    def __init__(self, handler: Any) -> None:  # Any: gevent's handler is untyped
        self._handler = handler
        self.is_taken = False

    def is_gone(self) -> bool:
        """Tell whether the peer has closed, or the request was answered."""
        sock = self._handler.socket if self._handler is not None else None
        return sock is None or peer_is_gone(sock)

    def release(self) -> None:
        """Forget the handler, whose environ holds this object: the request was answered."""
        self._handler = None

    def take(self) -> tuple[Any, bytes]:
        """Take the raw socket. Plain sockets leave gevent's wrapper; a TLS socket is taken as it is."""
        self.is_taken = True
        return take_socket(self._handler)


def take_socket(handler: Any) -> tuple[Any, bytes]:  # Any: gevent's handler, and a socket, which are untyped
    """Take the raw socket of a handler of pywsgi, with the bytes that have come behind the request."""
    sock = handler.socket
    # Before looking into the buffered reader: with an empty buffer that would wait.
    sock.setblocking(False)
    try:
        early_data = bytes(handler.rfile.peek())
    except OSError:
        early_data = b""  # TLS has nothing yet, or the client is gone, which the new owner will notice
    # While a buffered reader exists, the socket cannot really be closed.
    handler.rfile.close()
    handler.release()
    if isinstance(sock, LazySocket):
        raw, unread = sock.unwrap()
        return raw, early_data + unread
    if not isinstance(sock, ssl.SSLSocket):
        family = sock.family
        sock = _socket.socket(family, socket_module.SOCK_STREAM, 0, fileno=sock.detach())
        sock.setblocking(False)
    if sock.family in (socket_module.AF_INET, socket_module.AF_INET6):
        sock.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)
    return sock, early_data
