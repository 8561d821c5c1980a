"""HTTP connections on gevent's pywsgi, with time-outs, and with a way to take over their raw sockets.

pywsgi itself waits for ever for a head or a body that never comes, and for a client that does not read its answer.
"""

from __future__ import annotations

import logging
import re
import socket as socket_module
from typing import Any

import gevent
from gevent import pywsgi as _typed_pywsgi

from ..config import Config
from ..wire.request_head import RequestHead
from . import primed
from .fields import HeadRefused, read_fields
from .handoff import PywsgiConnection, take_socket
from .line import Line
from .request_body import RequestBody
from .sending import WRITE_SIZE, linger, send_answer, shut

__all__ = ["RequestHandler"]

logger = logging.getLogger("webpy_socketio.server")

#: Its published types leave out what a subclass needs.
pywsgi: Any = _typed_pywsgi

#: RFC 9112 section 2.3: two digits; pywsgi takes for granted that there are two.
_VERSION = re.compile(r"HTTP/(?:0\.9|1\.[0-9])")
#: A session's id is the key to it: the log has its first six characters.
_SID = re.compile(r"(\bsid=[^&\s]{6})[^&\s'\"]*")


class RequestHandler(pywsgi.WSGIHandler):  # type: ignore[misc]  # its base is Any here
    """One HTTP connection."""

    socket: Any
    environ: Any
    wsgi_input: Any
    result: Any
    request_version: str
    _connection: PywsgiConnection
    _deadline: gevent.Timeout | None = None
    _held: bytearray | None = None
    _is_first = True
    #: Who asks, as a trusted proxy says it.
    _asker: str | None = None
    _is_idle = False

    def __init__(
        self,
        sock: Any,
        address: Any,
        server: Any,
        rfile: Any = None,
        *,
        line: Line | None = None,
        head: RequestHead | None = None,
    ) -> None:
        super().__init__(sock, address, server, rfile)
        #: Where the connection goes back to after this request, and the head of it, if that was read there.
        self._line = line
        self._head = head

    @property
    def _config(self) -> Config:
        config: Config = self.server.socketio_config
        return config

    def release(self) -> None:
        """Let go of the socket: somebody else owns it now."""
        self.socket = None
        self.close_connection = True

    @property
    def _is_last(self) -> bool:
        """Tell whether the server stops: a request that is being served, or has begun to come, is the last one."""
        return not self.server.started

    def end_if_idle(self) -> None:
        """Close the connection unless a request is being served."""
        if self._is_idle:
            shut(self.socket, socket_module.SHUT_RDWR)

    # -- in ---------------------------------------------------------------------------------------------------------

    def handle_one_request(self) -> Any:
        """Read a request and answer it; True if another one may follow."""
        try:
            result = super().handle_one_request() if self._head is None else self._answer_primed(self._head)
        except HeadRefused as error:
            result = self._handle_client_error(error)
        finally:
            self._stop_deadline()
        if result is True and self._line is not None:
            return self._give_back(self._line)
        if not isinstance(result, tuple):
            return result
        self.status, answer = result
        self._orig_status = None  # that of an earlier request
        try:
            self._sendall(answer)
            linger(self.socket, self._config.close_timeout)
        except OSError:
            pass  # it did not wait for the answer
        self.log_request()
        return None

    def _answer_primed(self, head: RequestHead) -> bool | None:
        primed.prime(self, head)
        self.environ = self.get_environ()
        self.application = self.server.application
        self.handle_one_response()
        return None if self.close_connection else True

    def _give_back(self, line: Line) -> None:
        if not self._is_last:
            line.take_back(*take_socket(self))

    def read_requestline(self) -> str:
        """Read the request line; the head has to come within ``head_timeout`` seconds of its first byte."""
        config = self._config
        patience = config.head_timeout if self._is_first else config.keepalive_timeout
        if not self._is_first:
            gevent.sleep(0)  # a client that sends requests without a pause would keep the loop to itself
        self._is_first = False
        if self._line is None and (self._is_last or not self._wait_for_request(patience)):
            return ""
        self._deadline = gevent.Timeout.start_new(config.head_timeout)
        try:
            line: str = super().read_requestline()
        except gevent.Timeout as error:
            raise self._too_late(error) from None
        if len(line) >= pywsgi.MAX_REQUEST_LINE:
            raise HeadRefused("414 URI Too Long", f"more than {pywsgi.MAX_REQUEST_LINE} bytes")
        return line

    def _wait_for_request(self, patience: float) -> bool:
        self._is_idle, has_come = True, False
        try:
            with gevent.Timeout(patience, False):  # type: ignore[arg-type]  # False: end the block without an error
                has_come = bool(self.rfile.peek(1))
        finally:
            self._is_idle = False
        return has_come

    def read_request(self, raw_requestline: str) -> Any:
        """Read the head; a client that is too slow, or sends too much, gets 408 or 431."""
        try:
            return super().read_request(raw_requestline)
        except gevent.Timeout as error:
            raise self._too_late(error) from None
        finally:
            self._stop_deadline()

    def _too_late(self, error: gevent.Timeout) -> BaseException:
        if error is not self._deadline:
            return error
        return HeadRefused("408 Request Timeout", f"head_timeout is {self._config.head_timeout:g} s")

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.close()
            self._deadline = None

    def _check_http_version(self) -> bool:
        return _VERSION.fullmatch(self.request_version) is not None

    def MessageClass(self, *args: Any) -> Any:
        """Read the header fields."""
        return read_fields(self.rfile, len(self.requestline), self._config.max_head)

    def log_request(self) -> None:
        """Write the line of the access log, if there is one."""
        if self.server.has_access_log:
            super().log_request()

    def format_request(self) -> str:
        """Make the line of the access log, with the client in it and not its proxy."""
        line: str = _SID.sub(r"\1…", super().format_request())
        if self._asker is None:
            return line
        asker, self._asker = self._asker, None
        return f"{asker} {line.partition(' ')[2]}"

    def _handle_client_error(self, error: BaseException) -> Any:
        if not isinstance(error, (ValueError, OSError)):
            return super()._handle_client_error(error)
        status = error.status if isinstance(error, HeadRefused) else "400 Bad Request"
        detail = _SID.sub(r"\1…", str(error))[:200]
        logger.info("Refused a request from %s: %s%s", self._peer, status, f" ({detail})" if detail else "")
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return status[:3], head.encode("ascii")

    @property
    def _peer(self) -> object:
        return self.client_address[0] if isinstance(self.client_address, tuple) else "-"

    def get_environ(self) -> dict[str, Any]:
        """Build the WSGI environ, with the connection in it and the endpoint's path as the application knows it."""
        if self._head is None:
            environ = self._read_environ()
        else:
            environ = primed.make_environ(self.server, self.client_address, self._head, self.wsgi_input)
        self._connection = PywsgiConnection(self)
        primed.complete_environ(environ, self._config, self._connection)
        if self._config.trusted_proxies:
            self._asker = environ.get("REMOTE_ADDR")
        return environ

    def _read_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        body = RequestBody(self.wsgi_input, self.socket, self._config.body_timeout)
        if environ["wsgi.input"] is self.wsgi_input:
            environ["wsgi.input"] = body
        self.wsgi_input = body
        return environ

    # -- out --------------------------------------------------------------------------------------------------------

    def handle_one_response(self) -> None:
        """Have the application answer; where we close, the client is given the time to read the answer."""
        is_wanted = self.close_connection
        try:
            super().handle_one_response()
        finally:
            # They hold each other, and the socket: only the garbage collector would find them.
            self._connection.release()
            self.environ = None
        if self._connection.is_taken:
            return
        is_over = self.wsgi_input.is_over
        if not is_over or (self.close_connection and not is_wanted):
            self.close_connection = True
            linger(self.socket, self._config.close_timeout)

    def handle_error(self, kind: Any, error: Any, traceback: Any) -> None:
        """Report what the application raised; once the socket is taken, there is nobody left here to answer."""
        if self._connection.is_taken:
            self._log_error(kind, error, traceback)
        else:
            super().handle_error(kind, error, traceback)

    def process_result(self) -> None:
        """Write the answer; one whose socket was taken only has its hooks run."""
        for data in self.result:
            if data and not self._connection.is_taken:
                self.write(data)
        if self._connection.is_taken:
            return
        result, self.result = self.result, ()
        try:
            super().process_result()
        finally:
            self.result = result  # which is to be closed

    def finalize_headers(self) -> None:
        """Say that the connection will be closed where it will (RFC 9112 section 9.6; pywsgi does not)."""
        super().finalize_headers()
        if self.command == "HEAD":
            self.response_use_chunked = False
        given = {name.lower(): value for name, value in self.response_headers}.get(b"connection")
        if self._is_last or self.wsgi_input.is_unwanted or (given is not None and given.lower() == b"close"):
            self.close_connection = True
        if self.close_connection and given is None:
            self.response_headers.append((b"Connection", b"close"))

    def _write(self, data: bytes) -> None:
        # Applications answer HEAD as if it were GET, and the next answer must not begin with that body.
        if self.command != "HEAD":
            super()._write(data)

    def _write_with_headers(self, data: bytes) -> None:
        """Send the head together with the first piece of the body: a poll's answer is one segment, not two."""
        self._held = bytearray()
        try:
            super()._write_with_headers(data)
        except BaseException:
            if self._held is not None:  # nothing was sent: another answer can be given
                self.headers_sent = self.response_use_chunked = False
            raise
        finally:
            held, self._held = self._held, None
        if held:
            self._sendall(held)

    def _sendall(self, data: Any) -> None:
        """Write, as long as the client takes some of it in every ``body_timeout`` seconds."""
        if self._held is not None and len(data) <= WRITE_SIZE:
            self._held += data
            return
        held, self._held = self._held, None
        try:
            for piece in filter(None, (held, data)):
                send_answer(self.socket, piece, self._config.body_timeout, self._peer)
        except OSError as error:
            self.status = f"socket error: {error}"
            raise
        self.response_length += len(data)
