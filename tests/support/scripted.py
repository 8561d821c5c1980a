"""A raw socket that does what a test has written down, and a peer at its other end."""

from __future__ import annotations

import _socket
import socket
from typing import Any

import gevent

#: Seconds after which a peer gives up to wait for bytes.
PATIENCE = 5.0


class ScriptedSocket:
    """One end of a socket pair for a `Link`: real, but for the calls that have a script.

    ``sends`` and ``receives`` are what the next calls do: an exception is raised; a number is how many bytes the kernel
    takes; bytes are what is received. When a script is at its end, the real socket answers. ``sent`` holds the argument
    of every system call ``send``.
    """

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self.sends: list[int | Exception] = []
        self.receives: list[bytes | Exception] = []
        self.sent: list[bytes] = []
        self.is_closed = False

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        step = self.sends.pop(0) if self.sends else len(data)
        if isinstance(step, Exception):
            raise step
        return int(self._socket.send(data[:step])) if step else 0

    def recv(self, size: int) -> bytes:
        step = self.receives.pop(0) if self.receives else None
        if isinstance(step, Exception):
            raise step
        return step if step is not None else bytes(self._socket.recv(size))

    def pending(self) -> int:
        """Give how many bytes an SSLSocket would hold: those that are scripted."""
        return sum(len(step) for step in self.receives if isinstance(step, bytes))

    def close(self) -> None:
        self.is_closed = True
        self._socket.close()

    def detach(self) -> int:
        self.is_closed = True
        return int(self._socket.detach())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Peer:
    """The other end: waits in its greenlet, not in the loop."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """Receive exactly ``size`` bytes, or what there is before the end."""
        data = b""
        while len(data) < size and (piece := self.socket.recv(size - len(data))):
            data += piece
        return data

    def receive_frame(self) -> tuple[int, bytes]:
        """Receive one frame of a server: opcode and payload. (-1, b"") at the end of the stream."""
        head = self.receive(2)
        if len(head) < 2:
            return -1, b""
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self.receive(2 if size == 126 else 8), "big")
        return head[0] & 0x0F, self.receive(size)

    def is_at_end(self) -> bool:
        """Wait for the end of the stream; False if a byte comes instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()


def let_the_loop_turn(times: int = 3) -> None:
    """Let the loop look at its sockets and run its callbacks a few times: what was going to happen has happened."""
    for _ in range(times):
        gevent.idle()  # not sleep(0), after which the loop has not looked at any socket


def scripted_pair() -> tuple[ScriptedSocket, Peer]:
    """Make a connected pair: the raw end for a link, and the test's own."""
    ours, theirs = _socket.socketpair()
    return ScriptedSocket(ours), Peer(socket.socket(fileno=theirs.detach()))
