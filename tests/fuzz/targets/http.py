"""The whole HTTP entrance: heads, bodies, admission, the endpoint in web.py, sessions on both carriers.

First byte: which of `SETTINGS`, and from 128 on a greenlet for each connection from its begin, as where the loop is
told not to wait for requests. Then steps with a group separator between them: the digit of a connection (0 to 3, opened
when it is first named) and what is sent on it. The server's side is real, on socket pairs; ids are ``id1``, ``id2`` ….
Nobody may see an answer of 500 or an error in the log, and when all connections are closed nothing is left.
"""

from __future__ import annotations

import _socket
import logging
import re
import socket as socket_module
from collections.abc import Callable
from itertools import count
from typing import Any

import gevent
import gevent.socket
import web

from tests.fuzz.reader import masked
from webpy_socketio import SocketIOServer, config, on_connect, on_event, on_message, on_subscribe, socketio_urls
from webpy_socketio.config import Config
from webpy_socketio.hub import core
from webpy_socketio.hub.hub import Hub, default_hub

MAX_LENGTH = 6_000
CONNECTIONS = b"0123"
TURNS = 3
"""How often the loop has to come to rest after each step: a request is read, handled, answered."""

PATIENCE = 5.0
"""Seconds that what is left may take to come to its end, when all connections are closed."""

_COMMON: dict[str, object] = {"message_log_format": None, "ping_interval": 60.0}
SETTINGS = [
    Config.of(_COMMON),
    Config.of(
        {
            **_COMMON,
            "jsonp": True,
            "compression": 1,
            "http_compression": 1,
            "cors_allowed_origins": "*",
            "cookie": True,
            "trusted_proxies": "127.0.0.1",
            "missing_eio": "3",
        }
    ),
    Config.of(
        {
            **_COMMON,
            "max_payload": 500,
            "max_head": 1_000,
            "max_attachments": 2,
            "max_packets_per_payload": 5,
            "max_namespaces": 2,
            "max_channels": 2,
            "mailbox_low": 1,
            "mailbox_high": 2,
            "mailbox_hard": 4,
            "cors_allowed_origins": ["http://friend.example"],
            "allow_eio3": False,
            "outbox_limit": 2_000,
            "trusted_proxies": "127.0.0.1",
            "forwarded_header": "forwarded",
        }
    ),
]

_PATH = b"/socket.io/?EIO=4&transport=polling"


def _get(path: bytes = _PATH, *headers: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: x", *headers, b"", b""))


def _post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    return _get(path, b"Content-Length: %d" % len(body), *headers, method=b"POST") + body


def _upgrade(path: bytes, *headers: bytes) -> bytes:
    return _get(
        path,
        *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    )


def _steps(settings: int, *steps: bytes) -> bytes:
    return bytes((settings,)) + b"\x1d".join(steps)


_SESSION = _PATH + b"&sid=id1"
_WEBSOCKET = _PATH.replace(b"polling", b"websocket")
_OLD = _PATH.replace(b"=4", b"=3")

SEEDS = [
    _steps(0, b"0" + _get(), b"0" + _post(_SESSION, b"40"), b"0" + _get(_SESSION), b"0" + _post(_SESSION, b"1")),
    _steps(0, b"0" + _get() + _post(_SESSION, b'40\x1e420["echo",1]\x1e42["message",[]]') + _get(_SESSION)),
    _steps(0, b"0" + _upgrade(_WEBSOCKET) + masked(0x81, b"40"), b"0" + masked(0x81, b'42["echo",2]')),
    _steps(
        *(0, b"0" + _get(), b"0" + _post(_SESSION, b"40"), b"0" + _get(_SESSION)),
        *(b"1" + _upgrade(_WEBSOCKET + b"&sid=id1"), b"1" + masked(0x81, b"2probe"), b"0" + _get(_SESSION)),
        *(b"1" + masked(0x81, b"5"), b"1" + masked(0x81, b'42["echo",3]') + masked(0x88, b"\x03\xe8")),
    ),
    _steps(
        1, b"0" + _get(_OLD), b"0" + _post(_OLD + b"&sid=id1", b'11:420["echo"]1:2'), b"0" + _get(_OLD + b"&sid=id1")
    ),
    _steps(1, b"0" + _get(_PATH + b"&j=0"), b"0" + _post(_SESSION + b"&j=0", b"d=40"), b"0" + _get(_SESSION + b"&j=1")),
    _steps(
        1,
        b"0" + _upgrade(_WEBSOCKET, b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        b"0" + masked(0x81, b"40") + masked(0xC1, b"\x32\x31\x8a\x56\x4a\x4d\xce\xc8\x57\xd2\x31\x8c\x05\x00"),
    ),
    _steps(
        1, b"0" + _get(_PATH, b"X-Forwarded-For: 1.2.3.4, 127.0.0.1", b"Origin: http://x", b"Accept-Encoding: gzip")
    ),
    _steps(
        2, b"0" + _get(_PATH, b'Forwarded: for="[2001:db8::1]:80";proto=https;host=x', b"Origin: http://friend.example")
    ),
    _steps(2, b"0" + _get(_PATH, b"Origin: http://friend.example", method=b"OPTIONS"), b"0" + _get(method=b"HEAD")),
    _steps(2, b"0" + _get(), b"0" + _post(_SESSION, b"4" * 600)),
    _steps(2, b"0" + _get(), b"0" + _post(_SESSION, b"40\x1e40/a\x1e40/b\x1e42[1]\x1e42[1]\x1e3")),
    _steps(0, b"0" + _get(), b"0" + _get(_SESSION), b"1" + _get(_SESSION)),
    _steps(
        0,
        b"0" + _get(),
        b"0" + _get(_SESSION, b"Transfer-Encoding: chunked", method=b"POST") + b"2\r\n40\r\n0\r\n\r\n",
    ),
    _steps(
        0,
        b"0" + _get(b"/socket.io/socket.io.min.js", b"If-None-Match: *"),
        b"0" + _get(b"/socket.io/webpy_socketio.js"),
    ),
    _steps(0, b"0" + _get(b"/elsewhere"), b"0" + b"GET / HTTP/1.0\r\n\r\n"),
    _steps(0, b"0" + b"\x16\x03\x01\x02\x00\x01"),
    _steps(128, b"0" + _get(), b"0" + _post(_SESSION, b"40"), b"0" + _get(_SESSION), b"0" + _get(_SESSION)),
    _steps(0, b"0" + _get(), b"0" + _get(_SESSION)[:30], b"0" + _get(_SESSION)[30:], b"0" + _post(_SESSION, b"40")),
    _steps(0, b"0" + _get(), b"0" + _get(_SESSION) + _get(_SESSION), b"0" + _post(_SESSION, b"40") + _get(b"/upload")),
    _steps(
        *(0, b"0" + _get(), b"0" + _get(_SESSION), b"1" + _post(_SESSION, b"40")),
        *(b"0" + _get(_SESSION), b"1" + _post(_SESSION, b'42["echo",1]\x1e1'), b"0" + _get(_SESSION)),
    ),
    _steps(0, b"0" + _get(), b"0" + _post(_SESSION, b"40")[:-2], b"040", b"0" + _get(b"/x", b"Connection: close")),
    _steps(0, b"0" + _upgrade(_WEBSOCKET) + masked(0x81, b'40{"wish":"refuse"}'), b"0" + masked(0x81, b'451-["b",{}]')),
    _steps(
        0,
        b"0" + _upgrade(_WEBSOCKET) + masked(0x81, b"40"),
        b"0" + masked(0x81, b'420["__subscribe__","room"]') + masked(0x81, b'421["__message__","room",1]'),
        b"0" + masked(0x81, b'422["__unsubscribe__","room"]') + masked(0x81, b"41"),
    ),
]

WORDS = [
    *(b"\r\n", b"\r\n\r\n", b"\x1d0", b"\x1d1", b"HTTP/1.1", b"GET ", b"POST ", b"OPTIONS ", b"HEAD ", b"&sid=id1"),
    *(b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    *(b"Origin: http://friend.example\r\n", b"X-Forwarded-For: ", b"X-Forwarded-Proto: https\r\n", b"Forwarded: for="),
    *(b"Accept-Encoding: gzip\r\n", b"Cookie: io=id1\r\n", b"transport=websocket", b"EIO=3", b"EIO=4", b"&j=0", b"%00"),
    *(
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
        b"\x81\x86\0\0\0\x002probe",
        b"\x81\x81\0\0\0\x005",
        b"\x1e",
    ),
    *(b"\x81\x82\0\0\0\x0040", b'42["echo",1]', b'451-["echo",{"_placeholder":true,"num":0}]', b"\x82\x81\0\0\0\0x"),
    *(b"\x1e", b"%ff", b"Connection: close\r\n", b"\x88\x80\0\0\0\0", b"2\r\n40\r\n0\r\n\r\n", b"If-None-Match: *\r\n"),
]


# The application ------------------------------------------------------------------------------------------------------


class Upload:
    """Reads a body."""

    def POST(self) -> str:
        return str(len(web.data()))


def _register() -> None:
    @on_connect
    def connect(request: Any, socket: Any, context: Any) -> bool:
        return request.auth.get("wish") != "refuse"

    @on_message
    def message(request: Any, socket: Any, context: Any, value: Any) -> None:
        socket.send_and_broadcast(value)

    @on_event("echo")
    def echo(request: Any, socket: Any, context: Any, *values: Any) -> Any:
        socket.emit("echo", *values)
        return values

    @on_subscribe
    def subscribe(request: Any, socket: Any, context: Any, channel: str) -> bool:
        return channel != "closed"


class _Findings(logging.Handler):
    """Keeps what must not be: errors in the log, and what greenlets and callbacks of the loop raise."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.found.append(self.format(record))

    def write(self, text: str) -> None:
        """Be the server's error log, and web.py's."""
        if "Traceback" in text:
            self.found.append(text)

    def report(self, context: object, kind: Any, error: Any, traceback: Any) -> None:
        """Be gevent's way to report what a greenlet or a callback raised."""
        self.found.append(f"{kind} {error} in {context}")


class Entrance:
    """A server, and what goes wrong in it."""

    def __init__(self) -> None:
        self.findings = _Findings()
        logging.getLogger().addHandler(self.findings)
        gevent.get_hub().print_exception = self.findings.report
        web.config.debug = False
        web.debug.write = self.findings.write
        application = web.application((*socketio_urls, "/upload", Upload), {"Upload": Upload}, autoreload=False)
        self.server: Any = SocketIOServer(("127.0.0.1", 0), application.wsgifunc(), error_log=self.findings, **_COMMON)
        self.server.start()
        self.hub: Hub = default_hub()

    def prepare(self, settings: Config) -> None:
        """Begin anew."""
        ids = count(1)
        self.findings.found.clear()
        self.server.socketio_config = self.hub.config = settings
        core.b2a_base64 = lambda data, newline: b"id%d" % next(ids)  # ids that inputs can name
        config.install(settings)

    def turn(self) -> None:
        """Let the loop do all that there is to do (sleep(0) would have it look for input only every 5 ms)."""
        for _ in range(TURNS):
            gevent.idle()

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        with gevent.Timeout(PATIENCE, AssertionError(what)):
            while not condition():
                gevent.idle()


class _Client:
    """One connection: the server's end of a socket pair, and what came out of the other."""

    def __init__(self, server: Any, in_loop: bool) -> None:
        ours, theirs = socket_module.socketpair()
        self.socket = ours
        self.socket.setblocking(False)
        self.heard = b""
        self.handler: Any = None
        peer = ("127.0.0.1", 9)
        if in_loop:
            server.do_handle(_socket.socket(fileno=theirs.detach()), peer)
        else:
            self.handler = gevent.spawn(server.handle, gevent.socket.socket(fileno=theirs.detach()), peer)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the server has closed already

    def listen(self) -> None:
        try:
            while data := self.socket.recv(262_144):
                self.heard += data
        except OSError:
            pass  # nothing more yet, or a reset

    def check(self) -> None:
        """See that answers are HTTP, and none of them speaks of an error of ours."""
        if self.heard:
            assert re.match(rb"HTTP/1\.1 \d\d\d ", self.heard), self.heard[:100]
        assert not re.search(rb"HTTP/1\.1 50[02]", self.heard), self.heard[:500]


_entrance: Entrance | None = None


def run(data: bytes) -> None:
    """Do the steps of one input."""
    global _entrance
    if _entrance is None:
        _register()
        _entrance = Entrance()
    first = data[0] if data else 0
    _entrance.prepare(SETTINGS[first % len(SETTINGS)])
    clients: dict[int, _Client] = {}
    for step in data[1:].split(b"\x1d"):
        if step and step[0] in CONNECTIONS:
            if step[0] not in clients:
                clients[step[0]] = _Client(_entrance.server, first < 128)
            clients[step[0]].send(step[1:])
            _entrance.turn()
            clients[step[0]].listen()
    _finish(_entrance, list(clients.values()))


def _finish(entrance: Entrance, clients: list[_Client]) -> None:
    for client in clients:
        client.listen()
        client.socket.close()
    hub = entrance.hub

    def ended() -> bool:
        for session in list(hub.clients.values()):  # those of requests that were still to be handled, too
            hub.close(session, "transport error")
        is_served = entrance.server.lines or entrance.server._workers.is_busy
        return not is_served and all(client.handler is None or client.handler.dead for client in clients)

    entrance.wait_until(ended, "a request does not end")
    entrance.turn()
    hub.wheel.expire()
    entrance.wait_until(lambda: not hub.workers.is_busy, "a handler does not end")
    for client in clients:
        client.check()
    assert entrance.findings.found == [], "\n".join(entrance.findings.found)
    sockets = [socket for home in hub.namespaces.values() for socket in home.sockets]
    left = (len(hub.clients), len(hub.farewells), len(hub.wheel), hub.budget.used, len(sockets))
    assert left == (0, 0, 0, 0, 0), left
    hub.namespaces.clear()
