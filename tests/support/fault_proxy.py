"""A TCP proxy that does to connections what networks do: it delays, throttles, cuts at a chosen byte, or falls silent.

It runs in the process of the test (which gevent has patched) and knows enough of WebSocket frames to cut between or
within them: what is looked for is found in the text of a masked frame, too.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

import gevent

Direction = Literal["up", "down"]
"""From the client to the server, and back."""

How = Literal["close", "reset", "silence"]
"""``silence``: both ends stay open, and nothing passes any more."""

PIECE = 65_536


@dataclass
class Rule:
    """Cut a connection once ``text`` has come by, or a frame that is nothing but that (``alone``).

    Of the piece in which it is (a frame, or what was read of HTTP), the first ``keep`` bytes are still passed on; None:
    all of it.
    """

    direction: Direction
    text: bytes
    keep: int | None
    how: How
    alone: bool
    struck: bool = False

    def fits(self, direction: Direction, text: bytes) -> bool:
        if self.struck or direction != self.direction:
            return False
        return text == self.text if self.alone else self.text in text


@dataclass
class Pipe:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    is_silent: bool = False
    frames: bool = False
    """Whether its HTTP is over."""
    buffers: dict[str, bytes] = field(default_factory=lambda: {"up": b"", "down": b""})

    def end(self, how: How) -> None:
        if how == "silence":
            self.is_silent = True
            return
        for sock in (self.client, self.server):
            try:
                if how == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sock.shutdown(socket.SHUT_RDWR)  # a greenlet that reads it holds the descriptor
            except OSError:
                pass  # it is closed already
            sock.close()

    def pieces(self, direction: Direction, data: bytes) -> list[tuple[bytes, bytes]]:
        """Split what has come to pieces that are passed on whole: as they came, and as they read."""
        if not self.frames:
            if direction == "down" and b" 101 " in data[:20]:
                head, _, rest = data.partition(b"\r\n\r\n")
                self.frames = True
                whole = head + b"\r\n\r\n"
                return [(whole, whole), *self.pieces(direction, rest)]
            return [(data, data)] if data else []
        found = []
        buffer = self.buffers[direction] + data
        while (size := frame_size(buffer)) and size <= len(buffer):
            found.append((buffer[:size], payload_of(buffer[:size])))
            buffer = buffer[size:]
        self.buffers[direction] = buffer
        return found


def frame_size(data: bytes) -> int:
    """Give the size of the frame at the head of ``data``; 0 if that cannot be told yet."""
    if len(data) < 2:
        return 0
    size, extended = data[1] & 0x7F, {126: 2, 127: 8}.get(data[1] & 0x7F, 0)
    if len(data) < 2 + extended:
        return 0
    if extended:
        size = int.from_bytes(data[2 : 2 + extended], "big")
    return 2 + extended + (4 if data[1] & 0x80 else 0) + size


def payload_of(frame: bytes) -> bytes:
    """Give the unmasked payload of a whole frame."""
    body = 2 + {126: 2, 127: 8}.get(frame[1] & 0x7F, 0)
    if not frame[1] & 0x80:
        return frame[body:]
    mask, masked = frame[body : body + 4], frame[body + 4 :]
    key = (mask * (len(masked) // 4 + 1))[: len(masked)]
    return (int.from_bytes(masked, "big") ^ int.from_bytes(key, "big")).to_bytes(len(masked), "big")


class FaultProxy:
    """A proxy before a port of 127.0.0.1. Use it as a context manager.

    ``delay`` (seconds that each piece waits) and ``rate`` (bytes a second, in each direction of each connection) may be
    set at any time; ``connections`` counts those that came.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.rate: float | None = None
        self.connections = 0
        self.pipes: list[Pipe] = []
        self._rules: list[Rule] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        self.port: int = self._listener.getsockname()[1]
        self._greenlets = [gevent.spawn(self._accept)]

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close everything."""
        gevent.killall(self._greenlets)
        self._listener.close()
        self.cut()

    # -- faults -------------------------------------------------------------------------------------------------------

    def cut_at(
        self, text: bytes, direction: Direction, *, keep: int | None = None, how: How = "close", alone: bool = False
    ) -> Rule:
        """Have the first connection cut on which ``text`` comes by; gives what tells whether that has happened."""
        rule = Rule(direction, text, keep, how, alone)
        self._rules.append(rule)
        return rule

    def cut(self, how: How = "close") -> None:
        """Cut all connections now."""
        for pipe in self.pipes:
            pipe.end(how)
        if how != "silence":
            self.pipes.clear()

    # -- passing on ---------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self.connections += 1
            self._greenlets.append(gevent.spawn(self._serve, client))

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipe = Pipe(client, server)
        self.pipes.append(pipe)
        self._greenlets += [
            gevent.spawn(self._pass_on, pipe, "up", client, server),
            gevent.spawn(self._pass_on, pipe, "down", server, client),
        ]

    def _pass_on(self, pipe: Pipe, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(PIECE):
                if pipe.is_silent:
                    continue
                for raw, text in pipe.pieces(direction, data):
                    rule = self._rule_for(direction, text)
                    self._send(sink, raw if rule is None else raw[: rule.keep])
                    if rule is not None:
                        pipe.end(rule.how)
                        return
            if not pipe.is_silent:
                sink.sendall(pipe.buffers[direction])
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            if not pipe.is_silent:
                pipe.end("reset")  # what has happened on one side is passed on to the other

    def _rule_for(self, direction: Direction, text: bytes) -> Rule | None:
        for rule in self._rules:
            if rule.fits(direction, text):
                rule.struck = True
                return rule
        return None

    def _send(self, sink: socket.socket, data: bytes) -> None:
        if self.delay:
            gevent.sleep(self.delay)
        if self.rate is None:
            sink.sendall(data)
            return
        step = max(1, int(self.rate / 20))
        for at in range(0, len(data), step):
            sink.sendall(data[at : at + step])
            gevent.sleep(len(data[at : at + step]) / self.rate)
