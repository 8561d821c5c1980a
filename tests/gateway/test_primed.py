"""Requests whose head the loop has read: which of them need no other parser, and what pywsgi's handler is given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fuzz.targets.request_head import read_by_pywsgi
from tests.support.raw import head
from webpy_socketio.config import Config
from webpy_socketio.gateway.http import RequestHandler
from webpy_socketio.gateway.lazy_socket import NoBody
from webpy_socketio.gateway.primed import is_fit, make_environ, prime
from webpy_socketio.wire.request_head import RequestHead, decode_head

ENDPOINT = "/socket.io/"


class Server:
    """As much of a server as a handler asks for an environ."""

    socketio_config = Config()
    started = True

    def get_environ(self) -> dict[str, Any]:
        return {"SERVER_NAME": "x"}


def read(data: bytes) -> RequestHead:
    found = decode_head(data, 10_000)
    assert found is not None
    return found


def primed(data: bytes, address: Any = ("192.0.2.1", 9)) -> Any:
    handler: Any = RequestHandler(None, address, Server(), NoBody())
    prime(handler, read(data))
    return handler


def environ_of(handler: Any, data: bytes) -> dict[str, Any]:
    return make_environ(handler.server, handler.client_address, read(data), handler.wsgi_input)


@pytest.mark.parametrize(
    ("method", "path", "fields", "fit"),
    [
        ("GET", "/page?a=b", {}, True),
        ("GET", "/page", {"Connection": "close"}, True),
        ("GET", ENDPOINT, {"Upgrade": "websocket", "Connection": "Upgrade"}, True),
        ("GET", "/page", {"Upgrade": "websocket", "Connection": "Upgrade"}, False),
        ("GET", "/page", {"Content-Length": 2}, False),
        ("GET", "/page", {"Content-Length": 0}, False),
        ("POST", "/page", {"Content-Length": 2}, False),
        ("POST", "/page", {}, False),
        ("HEAD", "/page", {}, False),
        ("OPTIONS", "/page", {}, False),
    ],
)
def test_only_gets_without_a_body_are_fit(method: str, path: str, fields: dict[str, object], fit: bool) -> None:
    data = head(method, path, fields)
    assert is_fit(read(data), ENDPOINT) is fit


@pytest.mark.parametrize("path", ["/", "/page?a=b", "/page?"])
@pytest.mark.parametrize("fields", [{}, {"Connection": "Close"}, {"Upgrade": "websocket", "Connection": "Upgrade"}])
def test_a_handler_knows_what_it_would_have_read(path: str, fields: dict[str, object]) -> None:
    data = head("GET", path, fields)
    handler = primed(data)
    assert handler.close_connection is ("Connection" in fields and "Upgrade" not in fields)
    assert (handler.command, handler.request_version, handler.content_length) == ("GET", "HTTP/1.1", None)
    assert handler.requestline == f"GET {path.removesuffix('?')} HTTP/1.1"
    environ = environ_of(handler, data)
    by_pywsgi, _ = read_by_pywsgi(data)
    strings = {name: value for name, value in environ.items() if type(value) is str}
    assert strings == {
        **by_pywsgi,
        "SERVER_NAME": "x",
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "9",
    }
    assert environ["wsgi.input"].read() == b""
    assert environ["wsgi.input_terminated"] is ("Upgrade" not in fields)


def test_a_peer_without_an_address_has_none() -> None:
    data = head("GET", "/")
    assert "REMOTE_ADDR" not in environ_of(primed(data, address=""), data)
