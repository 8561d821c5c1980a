"""The byte-level clients of the tests, against answers written by hand."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import gevent
import pytest

from tests.support.raw import (
    BINARY,
    CLOSE,
    TEXT,
    Connection,
    PollingSession,
    Response,
    WebSocketSession,
    close_frame,
    frame,
    head,
    upgrade_headers,
)
from webpy_socketio.wire import frames

Canned = Callable[..., int]


@pytest.fixture
def canned() -> Iterator[Canned]:
    """A function that starts a server which gives one answer per connection, whatever comes, and returns its port."""
    opened: list[socket.socket] = []
    greenlets: list[gevent.Greenlet[..., None]] = []

    def start(*answers: bytes) -> int:
        listener = socket.socket()
        opened.append(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        greenlets.append(gevent.spawn(serve, listener, answers))
        port: int = listener.getsockname()[1]
        return port

    def serve(listener: socket.socket, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            connection, _ = listener.accept()
            connection.recv(65_536)
            connection.sendall(answer)
            connection.close()

    yield start
    gevent.killall(greenlets)
    for one in opened:
        one.close()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_frame_is_one_for_the_decoder(opcode: int, size: int) -> None:
    if opcode != TEXT and size > 125_000:
        return
    payload = bytes(range(256)) * (size // 256 + 1)
    data = frame(opcode, payload[:size])
    assert frames.decode_frames(data, 1_000_000) == ([(0x80 | opcode, payload[:size])], len(data))


def test_a_frame_may_be_wrong_in_every_way() -> None:
    assert frame(TEXT, "hi", masked=False) == b"\x81\x02hi"
    assert frame(TEXT, "", final=False)[:2] == b"\x01\x80"
    assert frame(TEXT, "", reserved=5)[:1] == b"\xd1"
    assert frames.decode_frames(close_frame(999, "why"), 10)[0] == [(0x80 | CLOSE, struct.pack(">H", 999) + b"why")]


def test_a_request_head_is_written_as_it_is_given() -> None:
    assert head("GET", "/x", {"A-B": 1, "Host": None}) == b"GET /x HTTP/1.1\r\nA-B: 1\r\n\r\n"
    assert head("GET", "/", version="HTTP/1.0") == b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    assert upgrade_headers(X_Own=1)["X-Own"] == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\nmore", b"hello"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\nmore", b""),
    ],
)
def test_an_answer_is_read_to_its_end_and_no_further(canned: Canned, answer: bytes, body: bytes) -> None:
    with Connection(canned(answer)) as connection:
        assert connection.request("GET", "/").body == body
        assert connection.read_to_end() == (b"" if answer.endswith(b"hello") else answer[answer.rindex(b"more") :]
                                            if answer.endswith(b"\nmore") else b", and more")  # fmt: skip


def test_an_answer_that_breaks_off_is_an_error(canned: Canned) -> None:
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"):
        with Connection(canned(answer)) as connection, pytest.raises(EOFError):
            connection.request("GET", "/")


def test_a_header_given_twice_is_an_error(canned: Canned) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
    with Connection(canned(answer)) as connection, pytest.raises(AssertionError, match="Content-Length twice"):
        connection.request("GET", "/")


def test_an_error_must_be_declared_as_json() -> None:
    assert Response(400, {"content-type": "application/json"}, b'{"code":1}').error == (400, {"code": 1})
    with pytest.raises(AssertionError):
        _ = Response(400, {"content-type": "text/html"}, b'{"code":1}').error


def test_a_websocket_session_reads_frames_of_all_sizes(canned: Canned) -> None:
    packets = [
        b'0{"sid":"s"}',
        b'40{"sid":"id"}',
        b'42["a",1]',
        b'42["' + b"x" * 300 + b'"]',
        b'42["' + b"y" * 70_000 + b'"]',
    ]
    answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(frames.encode_frame(TEXT, one) for one in packets)
    with WebSocketSession(canned(answer + frames.encode_close(1000, "bye"))) as session:
        assert (session.sid, session.id) == ("s", "id")
        assert session.receive() == ["a", 1]
        assert session.receive() == ["x" * 300]
        assert session.receive() == ["y" * 70_000]
        assert session.read_close() == (1000, "bye")
        assert session.is_closed_by_server()


def test_a_masked_or_reserved_frame_of_a_server_is_an_error(canned: Canned) -> None:
    for bad in (frame(TEXT, "0{}"), b"\xc1\x00", b"\x01\x00"):
        answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + bad
        with pytest.raises(AssertionError):
            WebSocketSession(canned(answer))


def test_a_polling_session_takes_packets_one_by_one(canned: Canned) -> None:
    def answer(body: str) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()

    port = canned(answer('0{"sid":"s"}'), answer("ok"), answer('40{"sid":"id"}\x1e42["a"]\x1e6\x1e42["b"]'))
    with PollingSession(port, joined=False) as session:
        session.polls = Connection(port)
        session.join()
        assert session.id == "id"
        assert session.receive() == ["a"]
        assert session.receive() == ["b"]
