"""Heads of requests: what `wire.request_head` takes is what gevent's pywsgi makes of the same bytes.

First byte: 1 if the reader is shown the head before, whose fields may be repeated. The rest is what comes on a
connection.
"""

from __future__ import annotations

import io
from typing import Any

from webpy_socketio.config import Config
from webpy_socketio.gateway.http import RequestHandler
from webpy_socketio.wire.request_head import decode_head

MAX_LENGTH = 4_000
MOST = 20_000
"""Bytes of a head."""

_POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\n"
_FIELDS = b"Host: chat.example:80\r\nAccept: */*\r\nCookie: a=b; c\r\nConnection: keep-alive\r\n"

SEEDS = [
    b"\0" + _POLL + _FIELDS + b"\r\n",
    b"\1" + _POLL + _FIELDS + b"\r\n" + _POLL + _FIELDS + b"\r\n",
    b"\0POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\n40" + _POLL + _FIELDS,
    b"\0POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n",
    b"\0GET / HTTP/1.1\r\n\r\n",
    b"\0GET /a;b=c//~@!$&'()*+,-._:[]^`{|} HTTP/1.1\r\nX:\t a \t\r\n\r\n",
    b"\0GET / HTTP/1.0\r\nConnection: close\r\n\r\n",
    b"\0GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x80\0\0\0\0",
    b"\0GET /%41 HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"\0GET / HTTP/1.1\r\nA: b\r\n folded\r\nA_B: c\nD: e\r\n\r\n",
]

WORDS = [
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b": ", b":", b" ", b"\t", b"?", b"%2f", b"#", b"_", b"-", b"\x00", b"\xff"),
    *(b"GET / HTTP/1.1\r\n", b"POST ", b"HTTP/1.0", b"Host: x\r\n", b"Content-Length: 2\r\n", b"Content-Type: a\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Cookie: a\r\n"),
    *(b"Upgrade: websocket\r\n", b"http://x/", b"//"),
]


class _Server:
    """As much of a server as pywsgi's handler asks for an environ."""

    socketio_config = Config(max_head=MOST)
    started = True

    def get_environ(self) -> dict[str, Any]:
        return {}


def read_by_pywsgi(data: bytes) -> tuple[dict[str, str], bytes]:
    """Give the environ that pywsgi makes of a head, and what it takes for what follows. Raises ``ValueError``."""
    rfile = io.BufferedReader(io.BytesIO(data))  # type: ignore[type-var]  # a raw stream as good as another
    handler: Any = RequestHandler(None, ("127.0.0.1", 9), _Server(), rfile)
    assert handler.read_request(rfile.readline().decode("latin-1"))
    environ = handler.get_environ()
    for name in ("SCRIPT_NAME", "REMOTE_ADDR", "REMOTE_PORT"):
        del environ[name]
    return {name: value for name, value in environ.items() if type(value) is str}, rfile.read()


def run(data: bytes) -> None:
    """Read heads as long as they are taken, each as pywsgi reads it."""
    repeats, left = data[:1] == b"\1", data[1:]
    before = None
    while (head := decode_head(left, MOST, before)) is not None:
        environ, rest = read_by_pywsgi(left)
        assert head.environ == environ, (head.environ, environ)
        assert left[head.size :] == rest
        assert head.length == int(environ.get("CONTENT_LENGTH", "0"))
        left = rest[head.length :]
        before = head.fields if repeats else None
