"""`SocketIOServer`: gevent's pywsgi, with time-outs, and with a way to take over the raw socket of a WebSocket."""

from __future__ import annotations

import _socket
import gc
import logging
import os
import socket as socket_module
import ssl
import sys
import weakref
from typing import Any

import gevent
from gevent import pywsgi as _typed_pywsgi

from . import config as config_module
from .config import Config
from .errors import UsageError
from .gateway import primed, startup
from .gateway.endpoint_request import EndpointRequest
from .gateway.forwarding import believe_proxies
from .gateway.http import RequestHandler
from .gateway.lazy_socket import LazySocket, NoBody, open_reader
from .gateway.line import Line
from .gateway.settings import address, resolve
from .hub.hub import Hub, default_hub
from .hub.mailbox import Mailbox
from .hub.worker_pool import WorkerPool
from .types import Environ
from .wire.request_head import RequestHead

__all__ = ["SocketIOServer"]

logger = logging.getLogger("webpy_socketio.server")

#: Its published types leave out what a subclass needs.
pywsgi: Any = _typed_pywsgi
#: Fewer objects than these are not an application that has frozen itself (`gc.freeze`): CPython 3.12 begins with 375.
OWN_FROZEN = 1_000
#: Connections that the kernel may hold for us while the loop is busy.
BACKLOG = 1_024


class SocketIOServer(pywsgi.WSGIServer):  # type: ignore[misc]  # its base is Any here
    """Serve a web.py application, and the Socket.IO endpoint in its urls.

    ``listener`` is ``(host, port)``, a port, a listening socket, or None for ``SOCKETIO_HOST`` and ``SOCKETIO_PORT``;
    ``application`` a WSGI callable such as ``app.wsgifunc()``; ``resource`` the first segment of the endpoint's path.
    All settings of `Config` may be given as keywords, and what `gevent.pywsgi.WSGIServer` takes (``keyfile``,
    ``certfile``, ``ssl_context``, ``backlog``, ``spawn``, ``log``, ``error_log``, ``environ``). Raises ``UsageError``
    for what does not fit.
    """

    handler_class = RequestHandler

    def __init__(
        self, listener: Any = None, application: Any = None, resource: str | None = None, **options: Any
    ) -> None:  # Any: WSGI callables and gevent's listeners
        if application is not None and not callable(application):
            raise UsageError(f"application must be a WSGI callable such as app.wsgifunc(), not {application!r}.")
        if not issubclass(options.get("handler_class") or RequestHandler, RequestHandler):
            raise UsageError("handler_class must be a subclass of webpy_socketio.gateway.http.RequestHandler.")
        known = Config.names() | {"policy_server", "policy_listener"}
        settings = {name: options.pop(name) for name in list(options) if name in known}
        if resource is not None:
            settings["resource"] = resource
        unknown = sorted(set(options) - _PYWSGI_OPTIONS)
        if unknown:
            known_names = ", ".join(sorted(Config.names()))
            raise UsageError(f"Unknown option {unknown[0]!r} of SocketIOServer; the settings are: {known_names}.")
        self.socketio_config = resolve(settings)
        if not hasattr(listener, "accept"):  # a socket that listens has its backlog
            options.setdefault("backlog", BACKLOG)
        options.setdefault("log", None)
        self._path = f"/{self.socketio_config.resource}/"
        self.has_access_log = options["log"] is not None
        self._hub: Hub | None = None
        #: The HTTP connections, and the sockets in whose TLS handshake we are.
        self._handlers: set[RequestHandler | EndpointRequest] = set()
        self._handshakes: set[Any] = set()
        #: HTTP connections that wait in the loop; pywsgi has all of them where it is told to go its own way.
        self.lines: set[Line] = set()
        #: They serve what comes on them; as many as there are requests that wait for something.
        self._workers = WorkerPool(sys.maxsize)
        self._has_entrance = not set(options) & _WITHOUT_ENTRANCE
        #: Whether requests for the endpoint need none of what pywsgi's handler does for those of others.
        self._is_brief = not self.has_access_log and self.handler_class is RequestHandler
        super().__init__(address() if listener is None else listener, application, **_with_context(options))

    def start(self) -> None:
        """Check the process, open the hub, and listen. In a second import of the main file: do nothing."""
        if self._is_ignored("start()"):
            return
        startup.prepare()
        if default_hub().is_open and default_hub().config != self.socketio_config:
            raise UsageError("Another SocketIOServer runs in this process, with other settings; stop it first.")
        super().start()
        if self.socket.family in (socket_module.AF_INET, socket_module.AF_INET6):
            # Connections inherit it: an answer in two pieces would wait for the client's delayed ACK, 40 ms.
            self.socket.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)
        self._workers.open()
        config_module.install(self.socketio_config)
        self._hub = default_hub()
        self._hub.open()
        _started.add(self)

    def serve_forever(self, stop_timeout: float | None = None) -> None:
        """Serve until ``stop``; the garbage collector leaves alone what is there by now (`gc.freeze`), unless the
        application has frozen something itself. In the second import of the main file by web.py's debug mode: do
        nothing.
        """
        if self._is_ignored("serve_forever()"):
            return
        # Modules and the application stay. Going through all of them with the clients is 8 % of a connect.
        frozen = 0
        if gc.get_freeze_count() < OWN_FROZEN:
            gc.collect()
            gc.freeze()
            frozen = gc.get_freeze_count()
        try:
            super().serve_forever(stop_timeout)
        finally:
            if gc.get_freeze_count() <= frozen:  # if it has grown, somebody has frozen more, and wants it so
                gc.unfreeze()

    @staticmethod
    def _is_ignored(call: str) -> bool:
        if not startup.is_main_imported_again():
            return False
        logger.warning("%s of the main file's second import (web.py's autoreload) is ignored.", call)
        return True

    def update_environ(self) -> None:
        """Fill in the server's name without asking a name server for it."""
        if isinstance(self.address, tuple):
            self.environ.setdefault("SERVER_NAME", self.address[0] or "localhost")
        super().update_environ()

    def do_read(self) -> Any:
        """Accept a connection."""
        if not self._has_entrance:
            return super().do_read()
        try:
            descriptor, peer = self.socket._accept()
        except BlockingIOError:
            return None
        sock = _socket.socket(self.socket.family, self.socket.type, self.socket.proto, fileno=descriptor)
        sock.setblocking(False)
        return sock, peer

    def do_handle(self, sock: Any, address: Any) -> None:
        """Let a new connection wait in the loop, or let pywsgi have it."""
        if self._has_entrance:
            Line(self, sock, address)
        else:
            super().do_handle(sock, address)

    def handle(self, sock: Any, address: Any) -> None:
        """Serve an HTTP connection that does not wait in the loop."""
        self._run(self.handler_class(sock, address, self))

    def _serve(self, raw: Any, line: Line, data: bytes, head: RequestHead | None) -> None:
        sock = LazySocket(raw, data if head is None else data[head.size :])
        try:
            if head is not None and self._is_brief and head.environ["PATH_INFO"] == self._path:
                self._run(EndpointRequest(self, line, sock, head))
            else:
                reader = open_reader(sock) if head is None else NoBody()
                self._run(self.handler_class(sock, line.address, self, reader, line=line, head=head))
        finally:
            sock.close()

    def _run(self, handler: RequestHandler | EndpointRequest) -> None:
        self._handlers.add(handler)
        try:
            handler.handle()
        finally:
            self._handlers.discard(handler)

    # -- for its lines ----------------------------------------------------------------------------------------------

    @property
    def hub(self) -> Hub:
        """Give the hub of the sessions."""
        return default_hub() if self._hub is None else self._hub

    @property
    def is_last(self) -> bool:
        """Tell whether the server stops: no request follows the one that is being answered."""
        return not self.started

    def describe(self, environ: Environ, address: Any) -> bool:
        """Fill in who asks; True if the loop may answer, as the request is one for the endpoint."""
        if environ["PATH_INFO"] != self._path or self.has_access_log or not self.socketio_config.direct_polling:
            return False
        environ["wsgi.url_scheme"] = self.environ["wsgi.url_scheme"]
        environ["REMOTE_ADDR"] = str(address[0]) if isinstance(address, tuple) else ""
        if self.socketio_config.trusted_proxies:
            believe_proxies(environ, self.socketio_config)
        return True

    def serve(self, line: Line, sock: Any, data: bytes, head: RequestHead | None) -> None:
        """Have a greenlet serve the request with which ``data`` begins."""
        if head is not None and not primed.is_fit(head, self._path):
            head = None
        self._workers.put(Mailbox(), self._serve, sock, line, data, head)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Serve a TLS connection after its handshake, which has ``head_timeout`` seconds."""
        sock = self._shake_hands(client_socket, address)
        if sock is not None:
            self.handle(sock, address)

    def _shake_hands(self, client_socket: Any, address: Any) -> Any:
        sock = client_socket
        try:
            sock = self.wrap_socket(client_socket, **self.ssl_args, do_handshake_on_connect=False)
            self._handshakes.add(sock)
            with gevent.Timeout(self.socketio_config.head_timeout, TimeoutError("it took too long")):
                sock.do_handshake()
        except OSError as error:
            logger.info("The TLS handshake with %s failed: %s", address[0] if address else "-", error)
            sock.close()
            return None
        finally:
            self._handshakes.discard(sock)
        return sock

    def stop(self, timeout: float | None = None) -> None:
        """Stop to accept, end all clients in good order, and give handlers ``timeout`` seconds (``stop_timeout``)."""
        self.close()
        _started.discard(self)
        for line in self.lines:
            line.stop_waiting()
        if self._hub is not None and not any(server._hub is self._hub for server in _started):
            self._hub.stop(self.socketio_config.stop_timeout if timeout is None else timeout)
        self._hub = None
        for handler in list(self._handlers):
            handler.end_if_idle()
        for line in list(self.lines):
            line.end_if_idle()
        self._workers.close()
        super().stop(timeout)

    def abandon(self) -> None:
        """Let go of the listener and of all connections in a forked child: they are the parent's."""
        self.stop_accepting()
        self.socket.close()
        self._workers.abandon()
        for line in list(self.lines):
            line.close(in_child=True)
        for sock in [*self._handshakes, *(handler.socket for handler in self._handlers)]:
            wrapped = sock.abandon() if isinstance(sock, LazySocket) else sock
            if wrapped is not None:
                _silence(wrapped)
        self._handlers.clear()


def _silence(sock: Any) -> None:
    """Drop a forked child's copy of a gevent socket, without waking up who waits for it, let alone telling the peer."""
    for watcher in (sock._read_event, sock._write_event):
        if watcher is not None:
            watcher.stop()
    # gevent's own detach() and close() would raise in the greenlets that wait, and let them clean up after themselves.
    descriptor = sock._sock.detach()
    if descriptor >= 0:
        socket_module.close(descriptor)  # os.close() may be gevent's, which can wait for the loop's next turn


def _abandon_servers() -> None:
    for server in list(_started):
        server.abandon()
    _started.clear()


#: The servers that run; all of them serve one hub.
_started: weakref.WeakSet[SocketIOServer] = weakref.WeakSet()
os.register_at_fork(after_in_child=_abandon_servers)


def _with_context(options: dict[str, Any]) -> dict[str, Any]:
    """Make one TLS context of ``certfile``, ``keyfile`` and what else pywsgi takes for TLS."""
    certificate, key = options.pop("certfile", None), options.pop("keyfile", None)
    if certificate is None and key is not None:
        raise UsageError("keyfile needs the certificate that belongs to it, in certfile.")
    options.pop("do_handshake_on_connect", None)
    if certificate is None or "ssl_context" in options:
        return options
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.pop("ca_certs", None))
    context.load_cert_chain(certificate, key)
    context.verify_mode = options.pop("cert_reqs", ssl.CERT_NONE)
    ciphers = options.pop("ciphers", None)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return {**options, "ssl_context": context}


#: Options with which connections go to pywsgi at once: TLS has its own handshake, who limits greenlets counts on one
#: for each connection, and another handler may read the connection as it likes.
_WITHOUT_ENTRANCE = {"spawn", "handler_class", "ssl_context", "keyfile", "certfile"}
_PYWSGI_OPTIONS = {
    *("backlog", "spawn", "log", "error_log", "handler_class", "environ", "ssl_context", "keyfile", "certfile"),
    *("server_side", "cert_reqs", "ca_certs", "suppress_ragged_eofs", "do_handshake_on_connect", "ciphers"),
}
