"""A request for the endpoint whose head was read in the loop: through the application's dispatch, without pywsgi.

It does what a WSGI server has to do (PEP 3333) for a GET of HTTP/1.1 without a body, in a fraction of the calls that
pywsgi's handler takes for any request. What fails is reported and answered as there.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from ..transport.link import peer_is_gone
from ..wire.request_head import RequestHead
from .answers import Headers, date_now
from .lazy_socket import LazySocket, NoBody
from .line import Line
from .primed import complete_environ, make_environ
from .sending import linger, send_answer

__all__ = ["EndpointRequest"]

#: Statuses whose answer has no body (RFC 9110 sections 15.3.5 and 15.4.5); and those without a length of it.
_BODILESS = ("204", "304")
_UNMEASURED = ("101", *_BODILESS)
#: Of all ways in which a client may be gone, those that are nobody's fault.
_GONE = (errno.EPIPE, errno.ECONNRESET)
_FAILURE = b"Internal Server Error"
_FAILURE_HEADERS = [
    ("Content-Type", "text/plain"),
    ("Connection", "close"),
    ("Content-Length", str(len(_FAILURE))),
]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class EndpointRequest:
    """The request on ``socket``, from its head to the end of its answer; as the connection in its environ, too.

    Afterwards the connection is its ``line``'s again, or somebody's who has taken it; or the caller closes it.
    """

    __slots__ = (
        "_fields",
        "_has_begun",
        "_head",
        "_is_chunked",
        "_is_last",
        "_line",
        "_names",
        "_result",
        "_server",
        "_status",
        "is_taken",
        "socket",
    )

    def __init__(self, server: Any, line: Line, sock: LazySocket, head: RequestHead) -> None:
        # Any: pywsgi's server is untyped
        self._server = server
        self._line = line
        self._head = head
        self.socket = sock
        self.is_taken = False
        #: What the application has said of its answer, and that.
        self._status = ""
        self._fields = ""
        self._names: dict[str, str] = {}
        self._result: Iterable[bytes] | None = None
        #: Whether the head of the answer was written, and how its body is.
        self._has_begun = False
        self._is_chunked = False
        #: Whether the connection ends with this request.
        self._is_last = False

    def end_if_idle(self) -> None:
        """Nothing to do: a request is being served."""

    # -- the connection in the environ ------------------------------------------------------------------------------

    def is_gone(self) -> bool:
        """Tell whether the peer has closed, or the request was answered."""
        return peer_is_gone(self.socket)

    def take(self) -> tuple[Any, bytes]:  # Any: a raw socket
        """Take the raw socket and what has come behind the request."""
        self.is_taken = True
        return self.socket.unwrap()

    # -- from head to end -------------------------------------------------------------------------------------------

    def handle(self) -> None:
        """Have the application answer, and give the connection back."""
        server, head = self._server, self._head
        config = server.socketio_config
        environ = make_environ(server, self._line.address, head, NoBody())
        complete_environ(environ, config, self)
        is_wanted = self._is_last = head.environ.get("HTTP_CONNECTION", "").lower() == "close"
        try:
            self._answer(environ)
        except OSError as error:
            self._is_last = True
            if error.errno not in _GONE:
                self._fail(environ)
        except BaseException:  # gevent.Timeout and SystemExit too: somebody waits for the answer
            self._fail(environ)
        if self.is_taken:
            return
        if not self._is_last:
            if not server.is_last:
                self._line.take_back(*self.socket.unwrap())
        elif not is_wanted:
            linger(self.socket, config.close_timeout)

    def _answer(self, environ: dict[str, Any]) -> None:  # Any: values of an environ
        result = None
        try:
            result = self._result = self._server.application(environ, self.start_response)
            for data in result:
                if data and not self.is_taken:
                    self.write(data)
            if not self.is_taken:
                self._finish()
        finally:
            self._result = None
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _finish(self) -> None:
        if not self._has_begun:
            self.write(b"")
        if self._is_chunked:
            self._send(b"0\r\n\r\n")

    def _fail(self, environ: dict[str, Any]) -> None:
        """Report an exception of the application, and answer with it if nothing was sent; called in the ``except``
        clause.
        """
        self._is_last = True
        server = self._server
        server.loop.handle_error(server.secure_environ_class(environ), *sys.exc_info())
        if self._has_begun or self.is_taken:
            return
        self.start_response("500 Internal Server Error", _FAILURE_HEADERS)
        try:
            self.write(_FAILURE)
        except OSError:
            pass  # it did not wait for the answer

    # -- what the application calls ---------------------------------------------------------------------------------

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """Take the status and the header fields. Raises ``ValueError`` for what would not be one of them."""
        if self._has_begun:
            try:
                raise AssertionError("The answer has begun") if exc_info is None else exc_info[1]
            finally:
                exc_info = None  # it would be held by its own traceback
        fields = "".join([name + ": " + value + "\r\n" for name, value in headers])
        lines = status + fields
        lines.encode("latin-1")
        if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
            raise ValueError("a line break in the status or in a header field")
        int(status[:3])
        self._names = {name.lower(): value for name, value in headers}
        if status[:3] in _BODILESS and self._names.get("content-length", "0") != "0":
            raise AssertionError(f"an answer with {status} has no body, and no Content-Length")
        self._status, self._fields, self._is_chunked = status, fields, False
        return self.write

    def write(self, data: bytes) -> None:
        """Write a piece of the body, the first one together with the head."""
        if data and self._status[:3] in _BODILESS:
            raise AssertionError(f"an answer with {self._status} has no body")
        head = b"" if self._has_begun else self._encode_head()
        if data and self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        data = head + data
        self._has_begun = True
        self._send(data)

    def _encode_head(self) -> bytes:
        if not self._status:
            raise AssertionError("The application did not call start_response()")
        names, fields = self._names, self._fields
        if "date" not in names:
            fields += f"Date: {date_now()}\r\n"
        if "content-length" not in names and self._status[:3] not in _UNMEASURED:
            result = self._result
            if hasattr(result, "__len__"):
                fields += f"Content-Length: {sum(map(len, result))}\r\n"  # type: ignore[arg-type]  # of what has a length
            else:
                fields += "Transfer-Encoding: chunked\r\n"
                self._is_chunked = True
        self._is_last = self._is_last or self._server.is_last or names.get("connection", "").lower() == "close"
        if self._is_last and "connection" not in names:
            fields += "Connection: close\r\n"
        return f"HTTP/1.1 {self._status}\r\n{fields}\r\n".encode("latin-1")

    def _send(self, data: bytes) -> None:
        sent = self.socket.send_now(data)
        if sent < len(data):
            send_answer(self.socket, memoryview(data)[sent:], self._server.socketio_config.body_timeout, self._peer)

    @property
    def _peer(self) -> object:
        address = self._line.address
        return address[0] if isinstance(address, tuple) else "-"
