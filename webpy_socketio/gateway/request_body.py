"""The body of an HTTP request on gevent's pywsgi, read with time-outs.

It knows how much of a body is still to come, and when it is not worth reading: after an answer that did not need it
(RFC 9112 section 9.3 leaves the choice between reading the rest and closing).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent import pywsgi as _typed_pywsgi

__all__ = ["RequestBody"]

#: Its published types leave out what a subclass needs.
pywsgi: Any = _typed_pywsgi
#: Bytes that are read and dropped to keep a connection: about what has come with the head anyway.
WORTH_READING = 65_536


class RequestBody(pywsgi.Input):  # type: ignore[misc]  # its base is Any here
    """A request's body; a client that sends nothing of it for ``timeout`` seconds is an ``OSError`` to the reader."""

    def __init__(self, body: Any, sock: Any, timeout: float) -> None:  # Any: pywsgi's own, and a gevent socket
        super().__init__(body.rfile, body.content_length, socket=body.socket, chunked_input=body.chunked_input)
        self._sock = sock
        self._timeout = timeout
        self._is_broken = False

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

    def _chunked_read(self, *args: Any, **kwargs: Any) -> bytes:
        try:
            return self._read_in_time(super()._chunked_read, *args, **kwargs)
        except ValueError as error:  # pywsgi takes what is there for a number, even if it is nothing
            raise OSError("a chunk has no size") from error

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
