"""TCP ports of 127.0.0.1."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"
CONNECT_TIMEOUT = 1.0


def free_port() -> int:
    """Return a port on which nothing listens now, for programs that cannot be told to take port 0."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Say whether something listens on the port."""
    try:
        socket.create_connection((HOST, port), timeout=CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True
