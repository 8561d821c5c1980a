"""The site of ``deploy/nginx`` in a real nginx, between real clients and a real server."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.apps.running import APPS, ENVIRONMENT, Served, serving
from tests.example.browser import Browser
from tests.support.nginx import SITE, Nginx, running_nginx
from tests.support.ports import HOST, free_port
from tests.support.processes import python_command, running
from tests.support.python_client import end
from tests.support.raw import (
    POLLING,
    Connection,
    PollingSession,
    WebSocket,
    WebSocketSession,
    ask,
)
from tests.support.waiting import wait_until
from webpy_socketio.config import Config

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
TIMEOUT = 10.0
AT_ONCE = 8.0
"""Seconds in which even a busy machine passes on what nobody holds back; the next ping is 25 s away."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving("behind_nginx.py", log_directory=tmp_path_factory.mktemp("app")) as served:
        yield served


@pytest.fixture(scope="module")
def nginx(app: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with running_nginx(tmp_path_factory.mktemp("nginx"), app.port) as proxy:
        yield proxy


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize("mode", MODES)
def test_clients_talk_through_it(nginx: Nginx, mode: str) -> None:
    heard: list[Any] = []
    client = socketio.Client(handle_sigint=False, reconnection=False)
    client.on("shouted", heard.append)
    client.connect(nginx.url, transports=MODES[mode], wait_timeout=TIMEOUT)
    try:
        assert client.transport() == MODES[mode][-1]
        # Of 900,000 bytes, near the limit: nginx keeps such a body in a file, and such an answer in many buffers.
        for value in ("Grüße", b"\x00\xff" * 10, "x" * 900_000, b"\xfe" * 600_000):
            assert client.call("echo", (value,), timeout=TIMEOUT) == value
            client.emit("shout", value)
            wait_until(lambda value=value: heard[-1:] == [value], TIMEOUT)  # type: ignore[misc]  # its default is bound
    finally:
        client.disconnect()


def test_a_page_of_a_port_of_its_own_changes_to_a_websocket(nginx: Nginx, chromium: str) -> None:
    with Browser(chromium) as browser:
        page = browser.open(nginx.url + "/page")
        page.wait("socket.connected && socket.io.engine.transport.name === 'websocket'")
        page.evaluate("socket.emit('echo', location.port, (port) => { window.answer = port; }); undefined")
        page.wait(f"window.answer === '{nginx.port}'")
        assert page.problems() == []


@pytest.mark.parametrize("mode", MODES)
def test_clients_come_back_when_the_server_was_restarted(tmp_path: Path, mode: str) -> None:
    port = free_port()
    command = python_command(APPS / "behind_nginx.py", port)
    client = socketio.Client(handle_sigint=False, reconnection_delay=0.05, reconnection_delay_max=0.2)
    with running_nginx(tmp_path, port) as nginx:
        try:
            with running(command, tmp_path / "first.log", ready=port, env=ENVIRONMENT) as program:
                client.connect(nginx.url, transports=MODES[mode], wait_timeout=TIMEOUT)
                first = client.get_sid()
                program.kill()
                wait_until(lambda: not client.connected, TIMEOUT)
            with running(command, tmp_path / "second.log", ready=port, env=ENVIRONMENT):
                wait_until(lambda: client.connected and client.get_sid() != first, TIMEOUT)
                assert client.call("echo", ("back",), timeout=TIMEOUT) == "back"
        finally:
            end(client)  # the server is gone again


# ---------------------------------------------------------------- who may connect


def handshakes(port: int, origin: str) -> tuple[int, int]:
    """Ask for a session from a page of an origin, on either transport; give the status of both answers."""
    headers = {"Host": f"{HOST}:{port}", "Origin": origin}
    with Connection(port) as polling, WebSocket(port, headers=headers) as websocket:
        return polling.request("GET", POLLING, headers=headers).status, websocket.response.status


def test_the_site_itself_may_connect_and_no_other(app: Served, nginx: Nginx) -> None:
    assert handshakes(nginx.port, nginx.url) == (200, 101)
    assert handshakes(nginx.port, f"https://{HOST}:{nginx.port}") == (200, 101), "nginx may end TLS"
    for foreign in (f"http://{HOST}", f"http://{HOST}:{app.port}", f"http://localhost:{nginx.port}", "null"):
        assert handshakes(nginx.port, foreign) == (403, 403), foreign


def test_without_the_port_in_its_host_header_the_site_could_not_connect(app: Served, tmp_path: Path) -> None:
    with running_nginx(tmp_path, app.port, ("header Host $http_host;", "header Host $host;")) as nginx:
        assert handshakes(nginx.port, nginx.url) == (403, 403)


# ---------------------------------------------------------------- connections


def ports(nginx: Nginx) -> set[str]:
    """Ask thrice on one connection; give the ports from which nginx passed that on."""
    with Connection(nginx.port) as connection:
        return {json.loads(connection.request("GET", "/seen").body)["REMOTE_PORT"] for _ in range(3)}


def test_requests_keep_their_connections_on_both_sides(nginx: Nginx) -> None:
    assert len(ports(nginx)) == 1


def test_a_constant_connection_header_would_lose_them(app: Served, tmp_path: Path) -> None:
    with running_nginx(tmp_path, app.port, ("Connection $connection_upgrade;", "Connection close;")) as nginx:
        seen = ports(nginx)
    assert len(seen) == 3


def test_the_application_learns_who_asks(nginx: Nginx) -> None:
    seen = json.loads(ask(nginx.port, "GET", "/seen", Host="chat.example.org:81", X_Real_IP="10.9.8.7").body)
    del seen["REMOTE_PORT"]
    assert seen == {
        "HTTP_HOST": "chat.example.org:81",
        "HTTP_X_REAL_IP": HOST,
        "HTTP_X_FORWARDED_FOR": HOST,
        "HTTP_X_FORWARDED_PROTO": "http",
    }


def asker(port: int, **headers: str) -> tuple[str, str]:
    """Ask for a session, and then for what its handlers see of the client: address and scheme."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with WebSocketSession(port, headers=named) as session:
        session.emit("who", ack=1)
        address, scheme = session.receive_ack(1)
        return address, scheme


def test_handlers_see_the_client_where_nginx_is_trusted(app: Served, nginx: Nginx, tmp_path: Path) -> None:
    # The client of these tests has nginx's own address, so that it takes one more proxy to tell them apart.
    assert asker(nginx.port, X_Forwarded_For="192.0.2.1") == (HOST, "http")
    settings = json.dumps({"trusted_proxies": HOST, "message_log_format": "%(REMOTE_ADDR)s says %(MESSAGE)s"})
    with (
        serving("behind_nginx.py", settings, log_directory=tmp_path) as trusting,
        running_nginx(tmp_path, trusting.port) as proxy,
    ):
        assert asker(proxy.port, X_Forwarded_For="203.0.113.1, 192.0.2.1") == ("192.0.2.1", "http")
        assert asker(proxy.port, X_Forwarded_Proto="https") == (HOST, "http"), "nginx says what it saw itself"
        evil = {"Host": f"{HOST}:{proxy.port}", "Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"}
        with Connection(proxy.port) as connection:
            assert connection.request("GET", POLLING, headers=evil).status == 403, "nor can a client choose its host"
        assert handshakes(proxy.port, proxy.url) == (200, 101)
        trusting.program.wait_for_line(r"192\.0\.2\.1 says \['who'\]$")


def test_behind_tls_the_scheme_is_that_of_the_client(tmp_path: Path) -> None:
    with (
        serving("behind_nginx.py", json.dumps({"trusted_proxies": HOST}), log_directory=tmp_path) as trusting,
        # As if another proxy before this one had ended TLS.
        running_nginx(tmp_path, trusting.port, ("X-Forwarded-Proto $scheme;", "X-Forwarded-Proto https;")) as proxy,
    ):
        assert asker(proxy.port) == (HOST, "https")
        assert handshakes(proxy.port, f"https://{HOST}:{proxy.port}") == (200, 101)
        assert handshakes(proxy.port, proxy.url) == (403, 403), "a page that anybody on the way may have changed"


@pytest.mark.parametrize(("trusted", "address"), [([], None), (["unix"], HOST)])
def test_through_a_unix_socket_the_client_has_an_address_only_where_that_is_trusted(
    tmp_path: Path, trusted: list[str], address: str | None
) -> None:
    path = tmp_path / "s"
    command = python_command(APPS / "behind_nginx.py", path, json.dumps({"trusted_proxies": trusted}))
    with (
        running(command, tmp_path / "app.log", ready="listening", env=ENVIRONMENT),
        running_nginx(tmp_path, 1, (f"{HOST}:1;", f"unix:{path};")) as proxy,
    ):
        assert asker(proxy.port) == (address, "http")
        assert handshakes(proxy.port, proxy.url) == (200, 101)


def test_the_message_log_can_name_the_clients_own_address(app: Served, nginx: Nginx) -> None:
    with WebSocketSession(nginx.port) as session:
        session.emit("echo", "who am I", ack=1)
        assert session.receive_ack(1) == ["who am I"]
    app.program.wait_for_line(r"127\.0\.0\.1 says \['echo', 'who am I'\]$")


# ---------------------------------------------------------------- nothing is held back


def test_a_poll_is_answered_at_once(nginx: Nginx) -> None:
    with PollingSession(nginx.port) as session:
        for number in range(10):
            with session.begin_poll() as poll:
                assert not poll.has_data(0.05), "it waits"
                said = time.monotonic()
                assert ask(nginx.port, "POST", "/say", f"number {number}").text == "ok"
                assert poll.read_response().text == f'42["said","number {number}"]'
                assert time.monotonic() - said < AT_ONCE
        session.leave()


def test_a_message_on_a_websocket_arrives_at_once(nginx: Nginx) -> None:
    with WebSocketSession(nginx.port) as session:
        for number in range(10):
            said = time.monotonic()
            assert ask(nginx.port, "POST", "/say", f"number {number}").text == "ok"
            assert session.receive() == ["said", f"number {number}"]
            assert time.monotonic() - said < AT_ONCE


def stream(port: int, patience: float = AT_ONCE) -> tuple[bool, dict[str, str]]:
    """Ask for an answer whose second piece is made later; tell whether the first came before that, and the headers."""
    with Connection(port) as connection:
        connection.send_request("GET", "/socket.io/stream", headers={"Accept-Encoding": "gzip"})
        deadline, before = time.monotonic() + patience, b""
        while not before and time.monotonic() < deadline:
            if connection.has_data(0.01):
                before = connection.socket.recv(4096, socket.MSG_PEEK).partition(b"\r\n\r\n")[2]
        assert ask(port, "POST", "/socket.io/stream", "").text == "ok"
        return bool(before), connection.read_response().headers


def test_an_answer_is_passed_on_piece_by_piece(nginx: Nginx) -> None:
    before, headers = stream(nginx.port)
    assert before
    assert "content-encoding" not in headers


def test_with_buffers_and_gzip_its_end_would_have_to_come_first(app: Served, tmp_path: Path) -> None:
    with running_nginx(tmp_path, app.port, ("proxy_buffering off;", ""), ("gzip off;", "")) as nginx:
        before, headers = stream(nginx.port, patience=1)
    assert not before
    assert headers["content-encoding"] == "gzip"


# ---------------------------------------------------------------- limits


def test_too_large_messages_are_refused_by_the_application(nginx: Nginx) -> None:
    with PollingSession(nginx.port) as session:
        limit = Config().max_payload
        largest = '42["echo","%s"]'
        session.send_packet(largest % ("x" * (limit + 2 - len(largest))))
        response = ask(nginx.port, "POST", session.path, "4" * (limit * 3 // 2))
        assert (response.status, response.body) == (413, b""), "Engine.IO's answer, not the page of nginx"
    with WebSocketSession(nginx.port) as session:
        session.send_text("4" + "x" * limit)
        assert session.read_close()[0] == 1009


def seconds(directive: str) -> list[int]:
    return [int(value) for value in re.findall(rf"^ *{directive} (\d+)s;", SITE.read_text(), re.MULTILINE)]


def test_a_silent_client_is_the_applications_business() -> None:
    """The longest silence of a client that is there is that between two pings, and its last chance to answer."""
    longest = Config().ping_interval + Config().ping_timeout
    for directive in ("proxy_read_timeout", "proxy_send_timeout"):
        (timeout,) = seconds(directive)
        assert timeout > max(60, longest + 10), directive


def test_nginx_has_nothing_to_say_about_the_site(app: Served, tmp_path: Path) -> None:
    with running_nginx(tmp_path, app.port) as nginx:
        assert ask(nginx.port, "GET", "/seen").status == 200
        assert re.findall(r"\[(?:warn|error|alert|crit|emerg)\].*", nginx.program.output()) == []
