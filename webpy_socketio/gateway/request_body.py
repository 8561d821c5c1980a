"""The body of an HTTP request on gevent's pywsgi, read with time-outs.

It knows how much of a body is still to come, and when it is not worth reading: after an answer that did not need it
(RFC 9112 section 9.3 leaves the choice between reading the rest and closing).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import gevent
from gevent import pywsgi as _typed_pywsgi

__all__ = ["RequestBody"]

#: Its published types leave out what a subclass needs.
pywsgi: Any = _typed_pywsgi
#: Bytes that are read and dropped to keep a connection: about what has come with the head anyway.
WORTH_READING = 65_536
#: Bytes of a chunked body that are neither data nor sizes: extensions and trailers (Node has the same limit).
MAX_BESIDE = 16_384
#: Chunks that are read before others have their turn.
CHUNKS_AT_ONCE = 200
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})([ \t]*(?:;[^\r\n\0]*)?)\r\n")


class RequestBody(pywsgi.Input):  # type: ignore[misc]  # its base is Any here
    """A request's body; a client that sends nothing of it for ``timeout`` seconds is an ``OSError`` to the reader."""

    def __init__(self, body: Any, sock: Any, timeout: float) -> None:  # Any: pywsgi's own, and a gevent socket
        super().__init__(body.rfile, body.content_length, socket=body.socket, chunked_input=body.chunked_input)
        self._sock = sock
        self._timeout = timeout
        self._is_broken = False
        self._chunks = 0
        self._beside = 0

    @property
    def is_over(self) -> bool:
        """Tell whether all of it was read: what follows is the next request."""
        if self._is_broken:
            return False
        if self.chunked_input:
            return bool(self.chunk_length == 0)
        return bool(self.position >= (self.content_length or 0))

    @property
    def is_unwanted(self) -> bool:
        """Tell whether what is left of it is not worth reading, or waits for a 100 that will not be sent."""
        if self.is_over:
            return False
        if self._is_broken or self.chunked_input or self.socket is not None:
            return True
        return bool(self.content_length - self.position > WORTH_READING)

    def _do_read(self, *args: Any, **kwargs: Any) -> bytes:
        return self._read_in_time(super()._do_read, *args, **kwargs)

    def _chunked_read(self, length: int | None = None, use_readline: bool = False) -> bytes:
        return self._read_in_time(self._read_chunks, length, use_readline)

    def _read_chunks(self, length: int | None, use_readline: bool) -> bytes:
        """Read as pywsgi does, which reads sizes, extensions and trailers byte by byte, any number of them, and gives
        nobody else a turn meanwhile: measured, one client made all others wait for as long as it liked.
        """
        self._send_100_continue()
        found: list[bytes] = []
        left = -1 if length is None else length
        while self.chunk_length != 0 and left != 0:
            if self.position >= self.chunk_length:
                self._begin_chunk()
                continue
            size = self.chunk_length - self.position
            if left >= 0:
                size = min(size, left)
            data = self.rfile.readline(size) if use_readline else self.rfile.read(size)
            if not data:
                raise OSError("it ends within a chunk")
            found.append(data)
            self.position += len(data)
            left -= len(data) if left >= 0 else 0
            if self.position == self.chunk_length and self.rfile.read(2) != b"\r\n":
                raise OSError("a chunk is longer than its size says")
            if use_readline and data.endswith(b"\n"):
                break
        return b"".join(found)

    def _begin_chunk(self) -> None:
        """Read a chunk's size, and behind the last one the trailers (RFC 9112 section 7.1)."""
        self._chunks += 1
        if self._chunks % CHUNKS_AT_ONCE == 0:
            gevent.sleep(0)
        line = self.rfile.readline(MAX_BESIDE)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise OSError("a chunk begins with its size")
        size, extensions = match.groups()
        self._count_beside(extensions)
        self.chunk_length, self.position = int(size, 16), 0
        while self.chunk_length == 0 and line != b"\r\n":
            line = self.rfile.readline(MAX_BESIDE)
            if not line.endswith(b"\r\n"):
                raise OSError("it ends with an empty line")
            self._count_beside(line)

    def _count_beside(self, text: bytes) -> None:
        self._beside += len(text)
        if self._beside > MAX_BESIDE:
            raise OSError(f"more than {MAX_BESIDE} bytes of it are no data")

    def _read_in_time(self, read: Callable[..., bytes], *args: Any, **kwargs: Any) -> bytes:
        usual = self._sock.gettimeout()
        self._sock.settimeout(self._timeout)
        is_read = False
        try:
            data = read(*args, **kwargs)
            is_read = True
            return data
        finally:
            self._is_broken = self._is_broken or not is_read
            self._sock.settimeout(usual)

    def _discard(self) -> None:
        """Read what is left, unless the connection will be closed for it."""
        if self.is_unwanted:
            return
        with gevent.Timeout(self._timeout, False):  # type: ignore[arg-type]  # False: end the block without an error
            try:
                super()._discard()
            except OSError:
                pass  # the answer was given; that the body is not over tells the rest
