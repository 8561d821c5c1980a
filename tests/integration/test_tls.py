"""The server over TLS: the same clients, large messages, many records, and what never was TLS."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from tests.apps.raw_server import Bystander, RawServer, bystanders
from tests.support.certificates import client_context, make_certificate
from tests.support.processes import ROOT, Program, python_command
from tests.support.raw import (
    BINARY,
    POLLING,
    TEXT,
    Connection,
    PollingSession,
    Session,
    WebSocket,
    WebSocketSession,
    close_frame,
    frame,
    head,
)
from tests.support.waiting import wait_until
from webpy_socketio import SocketIOServer, UsageError

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
MEGABYTE = 1_000_000
FLOOD = 3.0
"""Seconds."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module", params=VERSIONS, ids=["1.2", "1.3"])
def context(request: pytest.FixtureRequest, files: tuple[str, str]) -> ssl.SSLContext:
    return client_context(files[0], request.param)


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory, files: tuple[str, str]) -> Iterator[RawServer]:
    certificate, key = files
    options: dict[str, Any] = {"certfile": certificate, "keyfile": key, "head_timeout": 1, "close_timeout": 0.5}
    directory = tmp_path_factory.mktemp("tls")
    with RawServer(directory, client_context(certificate), max_payload=2 * MEGABYTE, **options) as running:
        yield running


@pytest.fixture
def server(tls_server: RawServer) -> Iterator[RawServer]:
    with bystanders(tls_server):
        yield tls_server


@pytest.fixture(params=["polling", "websocket", "upgrade"])
def session(request: pytest.FixtureRequest, server: RawServer, context: ssl.SSLContext) -> Iterator[Session]:
    if request.param == "websocket":
        with WebSocketSession(server.port, context=context) as websocket:
            yield websocket
        return
    with PollingSession(server.port, context=context) as polling:
        if request.param == "polling":
            yield polling
        else:
            yield Upgraded(polling)


class Upgraded(Session):
    """A session that began on polling and goes on on a WebSocket."""

    def __init__(self, polling: PollingSession) -> None:
        self.handshake, self.id = polling.handshake, polling.id
        self.websocket = polling.begin_upgrade()
        self.websocket.send_text("2probe")
        assert self.websocket.read_text() == "3probe"
        self.websocket.send_text("5")

    def send_packet(self, packet: str) -> None:
        self.websocket.send_text(packet)

    def next_packet(self) -> str:
        return self.websocket.read_text()


def test_a_session_echoes(session: Session) -> None:
    for number in range(100):
        assert session.echo(number) == number


def test_a_message_of_a_megabyte_goes_both_ways(session: Session) -> None:
    for size in (16_384, 65_536, MEGABYTE):
        text = "ü" + "x" * size
        assert session.echo(text) == text


def test_many_messages_in_one_record_are_all_taken(server: RawServer, context: ssl.SSLContext) -> None:
    # OpenSSL holds what of a record was not read: the kernel has nothing more to announce.
    with WebSocketSession(server.port, context=context) as session:
        for count in (100, 200, 300):
            data = b"".join(frame(TEXT, f'42["echo",{number}]') for number in range(count))
            assert len(data) < 16_384
            session.send(data)
            assert [session.receive()[1] for _ in range(count)] == list(range(count))


def test_more_than_one_read_takes_is_all_taken(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context) as session:
        session.send(b"".join(frame(TEXT, f'42["echo",{number}]') for number in range(10_000)))
        assert [session.receive()[1] for _ in range(10_000)] == list(range(10_000))


def test_early_frames_in_the_record_of_the_request_are_taken(server: RawServer, context: ssl.SSLContext) -> None:
    early = frame(TEXT, "40") + b"".join(frame(TEXT, f'42["echo",{number}]') for number in range(300))
    with WebSocket(server.port, early=early, context=context) as websocket:
        assert websocket.read_text().startswith('0{"sid"')
        assert websocket.read_text().startswith('40{"sid"')
        assert [websocket.read_text() for _ in range(300)] == [f'42["echo",{number}]' for number in range(300)]


def test_a_frame_in_pieces_of_a_byte_is_taken(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context) as session:
        for byte in frame(TEXT, '42["echo","byte by byte"]'):
            session.send(bytes((byte,)))
        assert session.receive() == ["echo", "byte by byte"]


def test_binary_goes_both_ways(server: RawServer, context: ssl.SSLContext) -> None:
    blob = bytes(range(256)) * 4_000
    with WebSocketSession(server.port, context=context) as session:
        session.send(frame(TEXT, '451-["blob",{"_placeholder":true,"num":0}]') + frame(BINARY, blob))
        assert session.read_text() == '451-["blob",{"_placeholder":true,"num":0}]'
        assert session.read_frame() == (BINARY, blob)


def test_a_client_that_reads_late_gets_all(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context, receive_buffer=4_096) as session:
        session.emit("bytes", 10, 500_000)
        session.emit("note", "sent all over TLS")
        wait_until(lambda: server.seen("note sent all over TLS") >= 1)
        for _ in range(10):
            assert session.receive() == ["bytes", "x" * 500_000]
        assert session.echo("on") == "on"


def test_both_sides_may_send_much_at_once(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context) as session:
        session.emit("bytes", 5, 900_000)
        for number in range(5):
            session.emit("echo", f"{number}" * 900_000)
        names = [session.receive()[0] for _ in range(10)]
        assert names == ["bytes"] * 5 + ["echo"] * 5


def test_a_slow_consumer_is_closed_with_1008(tmp_path: Path, files: tuple[str, str], context: ssl.SSLContext) -> None:
    certificate, key = files
    with (
        RawServer(tmp_path, context, certfile=certificate, keyfile=key, outbox_limit=300_000) as server,
        WebSocketSession(server.port, context=context, receive_buffer=4_096) as session,
    ):
        server.mark()
        session.emit("bytes", 200, 90_000)
        assert "outbox_limit" in server.logged()[1]
        assert session.read_close() == (1008, "slow consumer")


def test_a_violation_is_answered_with_its_code(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context) as session:
        session.send(frame(TEXT, "42[]", masked=False))
        assert session.read_close_and_end()[0] == 1002
        assert "must be masked" in server.logged()[1]


@pytest.mark.parametrize("over", ["tls", "tcp"])
def test_a_client_that_never_pauses_holds_nobody_up(tmp_path: Path, files: tuple[str, str], over: str) -> None:
    certificate, key = files
    context = client_context(certificate) if over == "tls" else None
    settings = {"certfile": certificate, "keyfile": key} if over == "tls" else {}
    with (
        RawServer(tmp_path, context, **settings) as server,
        WebSocketSession(server.port, context=context) as session,
    ):
        arguments = [certificate] if over == "tls" else []
        flooder = python_command(ROOT / "tests" / "apps" / "flooder.py", server.port, FLOOD, *arguments)
        with Program(flooder, tmp_path / "flooder.log") as flooding:
            bystander = Bystander(session)
            sent = int(flooding.wait_for_line(r"^\d+$")[0])
            bystander.stop()
        assert sent > 1_000_000
        assert bystander.slowest < 0.9 * FLOOD, "it waited until the flood was over"


def test_closed_connections_leave_nothing(server: RawServer, context: ssl.SSLContext) -> None:
    before = server.state()
    for number in range(20):
        session = WebSocketSession(server.port, context=context)
        if number % 3 == 0:
            session.send_packet("1")
            session.read_close_and_end()
        session.reset() if number % 3 == 1 else session.close()
    for name in ("clients", "descriptors", "timed", "greenlets"):
        wait_until(lambda name=name: server.state()[name] <= before[name], what=f"{name} are back")


def test_polls_and_posts_keep_their_connections(server: RawServer, context: ssl.SSLContext) -> None:
    with PollingSession(server.port, context=context) as session:
        for number in range(50):
            assert session.echo(number) == number
        assert session.polls.request("GET", "/clients", headers={"Connection": "close"}).closes
        assert session.polls.is_closed_by_server()


def test_an_oversize_body_is_413(server: RawServer, context: ssl.SSLContext) -> None:
    with PollingSession(server.port, context=context) as session, Connection(server.port, context=context) as other:
        other.send(head("POST", session.path, {"Content-Length": 2 * MEGABYTE + 1}) + b"4" * MEGABYTE)
        response = other.read_response()
        assert (response.status, response.closes) == (413, True)
        assert session.echo("unharmed") == "unharmed"


def test_the_origin_of_a_secure_page_is_https(server: RawServer, context: ssl.SSLContext) -> None:
    with Connection(server.port, context=context) as connection:
        host = f"localhost:{server.port}"
        for origin, status in ((f"https://{host}", 200), (f"http://{host}", 403)):
            assert connection.request("GET", POLLING, headers={"Host": host, "Origin": origin}).status == status


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_the_official_python_client_connects(server: RawServer, files: tuple[str, str], transports: list[str]) -> None:
    with requests.Session() as http_session:
        http_session.verify = files[0]
        http_session.trust_env = False  # a bundle named in the environment would come first
        client = socketio.Client(handle_sigint=False, reconnection=False, http_session=http_session)
        client.connect(f"https://localhost:{server.port}", transports=transports)
        try:
            assert client.call("echo", "over TLS", timeout=10) == "over TLS"
            assert client.transport() == transports[-1]
        finally:
            client.disconnect()


# What is no TLS ------------------------------------------------------------------------------------------------------


def test_a_closing_handshake_alone_ends_the_connection(tls_server: RawServer, context: ssl.SSLContext) -> None:
    # No bystander here: nothing else keeps the server's loop, or its garbage collector, going.
    with WebSocketSession(tls_server.port, context=context) as session:
        session.send(close_frame(1000))
        assert session.read_close() == (1000, "")
        session.socket.settimeout(3)
        assert session.is_closed_by_server()


def test_plain_http_on_the_secure_port_is_refused(server: RawServer) -> None:
    with Connection(server.port) as connection:
        connection.send(head("GET", POLLING))
        connection.socket.settimeout(5)
        try:
            assert b"HTTP/1.1" not in connection.read_to_end()
        except ConnectionError:
            pass
    name, text = server.logged()
    assert name == "server"
    assert text.startswith("The TLS handshake with 127.0.0.1 failed: ")


def test_a_handshake_that_never_comes_is_given_up(server: RawServer) -> None:
    with Connection(server.port) as connection:
        connection.send(b"\x16\x03\x01")
        assert connection.is_closed_by_server()
    assert server.logged() == ("server", "The TLS handshake with 127.0.0.1 failed: it took too long")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_during_the_handshake_is_forgotten(server: RawServer, how: str) -> None:
    before = server.state()
    connection = Connection(server.port)
    connection.send(b"\x16\x03\x01\x02\x00")
    getattr(connection, how)()
    assert server.logged()[1].startswith("The TLS handshake with 127.0.0.1 failed: ")
    wait_until(lambda: server.state()["descriptors"] <= before["descriptors"])


def test_a_client_that_does_not_trust_the_certificate_is_forgotten(server: RawServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(server.port, context=ssl.create_default_context())
    wait_until(server.records)  # TLS 1.3: only the next read shows it, so the wording varies


def test_garbage_inside_the_connection_ends_it(server: RawServer, context: ssl.SSLContext) -> None:
    with WebSocketSession(server.port, context=context) as session:
        plain = socket.socket(fileno=session.socket.detach())
        plain.sendall(b"this is no TLS record at all, but long enough to be taken for the head of one")
        assert server.logged()[1] == f"{session.sid[:6]}… closed: transport close"
        plain.close()


# Settings ------------------------------------------------------------------------------------------------------------


def test_a_context_of_ones_own_is_used(files: tuple[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.url_scheme"].encode()]

    server = SocketIOServer(("127.0.0.1", 0), application, ssl_context=context)
    server.start()
    try:
        url = f"https://localhost:{server.server_port}/"
        with urllib.request.urlopen(url, context=client_context(files[0])) as response:
            assert response.read() == b"https"
        with pytest.raises(ssl.SSLError):
            Connection(server.server_port, context=client_context(files[0], ssl.TLSVersion.TLSv1_2))
    finally:
        server.stop(1)


def test_a_certificate_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        SocketIOServer(("127.0.0.1", 0), certfile=str(tmp_path / "missing.pem"), keyfile=str(tmp_path / "missing.pem"))


def test_a_key_without_a_certificate_is_an_error(files: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="certfile"):
        SocketIOServer(("127.0.0.1", 0), keyfile=files[1])
