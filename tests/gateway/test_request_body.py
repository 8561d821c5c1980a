"""How much of a request's body is still to come, and whether that is worth waiting for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.pywsgi import Input

from webpy_socketio.gateway.request_body import CHUNKS_AT_ONCE, MAX_BESIDE, WORTH_READING, RequestBody

Make = Callable[..., tuple[RequestBody, socket.socket]]


@pytest.fixture
def make() -> Iterator[Make]:
    """A function that makes a body with something of it sent, and gives the client's end too."""
    opened: list[socket.socket] = []

    def build(
        data: bytes, length: int | None = None, *, chunked: bool = False, expects: bool = False
    ) -> tuple[RequestBody, socket.socket]:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        theirs.sendall(data)
        plain = Input(ours.makefile("rb"), length, socket=ours if expects else None, chunked_input=chunked)
        return RequestBody(plain, ours, 0.1), theirs

    yield build
    for one in opened:
        one.close()


def test_a_request_without_a_body_is_over(make: Make) -> None:
    for length in (None, 0):
        body, _ = make(b"GET / HTTP/1.1\r\n", length)
        assert body.is_over
        assert not body.is_unwanted
        assert body.read() == b""


def test_a_body_that_was_read_is_over(make: Make) -> None:
    body, _ = make(b"hello, and the next request", 5)
    assert not body.is_over
    assert body.read(3) == b"hel"
    assert not body.is_over
    assert body.read() == b"lo"
    assert body.is_over
    assert body.read() == b""


def test_a_chunked_body_is_over_with_its_last_chunk(make: Make) -> None:
    body, _ = make(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", chunked=True)
    assert body.read(4) == b"abcd"
    assert not body.is_over
    assert body.read() == b"e"
    assert body.is_over


def test_a_small_rest_is_read_and_dropped(make: Make) -> None:
    body, _ = make(b"x" * 1_000, 1_000)
    assert not body.is_unwanted
    body._discard()
    assert body.is_over


@pytest.mark.parametrize("options", [{"length": WORTH_READING + 1}, {"chunked": True}, {"length": 5, "expects": True}])
def test_a_rest_that_is_large_unknown_or_waits_for_100_is_not_read(make: Make, options: dict[str, object]) -> None:
    body, _ = make(b"", **options)
    assert body.is_unwanted
    body._discard()  # does not wait
    assert not body.is_over


def test_a_100_is_sent_once_and_then_the_rest_is_wanted(make: Make) -> None:
    body, theirs = make(b"hello", 5, expects=True)
    assert body.read(2) == b"he"
    assert theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not body.is_unwanted


def test_a_body_that_does_not_come_in_time_is_broken(make: Make) -> None:
    body, _ = make(b"he", 5)
    with pytest.raises(TimeoutError):
        body.read()
    assert not body.is_over
    assert body.is_unwanted


@pytest.mark.parametrize("data", [b"zz\r\n", b"3\r\nabcdef", b"3\r\nab"])
def test_a_broken_chunked_body_is_broken_for_good(make: Make, data: bytes) -> None:
    body, theirs = make(data, chunked=True)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(OSError):
        body.read()
    assert not body.is_over
    assert body.is_unwanted


def test_a_rest_that_does_not_come_is_not_waited_for_long(make: Make) -> None:
    body, _ = make(b"he", 5)
    body._discard()
    assert not body.is_over


def test_chunks_may_have_extensions_and_trailers_may_follow(make: Make) -> None:
    body, _ = make(b"A;a=b\r\n0123456789\r\n1 ; x\r\na\r\n00\r\nA: b\r\nC: d\r\n\r\nGET /", chunked=True)
    assert body.read() == b"0123456789a"
    assert body.is_over
    assert body.rfile.read(5) == b"GET /"


def test_lines_end_with_themselves_or_with_their_chunk(make: Make) -> None:
    body, _ = make(b"4\r\na\nbc\r\n3\r\nd\ne\r\n0\r\n\r\n", chunked=True)
    assert [body.readline(), body.readline(), body.readline(), body.readline()] == [b"a\n", b"bcd\n", b"e", b""]


def test_an_answer_of_no_bytes_reads_nothing(make: Make) -> None:
    body, _ = make(b"1\r\na\r\n", chunked=True)
    assert body.read(0) == b""
    assert body.read(1) == b"a"


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"\r\n",
            b";a\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b"1_0\r\n",
            b"11111111111111111\r\n",
            b"1\n",
            b"1 2\r\n",
            b"1;a\0\r\n",
        ),
        *(b"0\r\nno end", b"0\r\nA: b\n\r\n", b"1;" + b"e" * MAX_BESIDE + b"\r\n", b"0\r\n" + b"a:b\r\n" * MAX_BESIDE),
        (b"1;" + b"e" * 100 + b"\r\nx\r\n") * 200,
    ],
)
def test_what_is_no_chunk_or_has_too_much_beside_its_data_is_an_error(make: Make, data: bytes) -> None:
    body, theirs = make(data, chunked=True)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(OSError):
        body.read()
    assert not body.is_over


def test_very_many_chunks_give_others_their_turn(make: Make) -> None:
    body, _ = make(b"1\r\nx\r\n" * (CHUNKS_AT_ONCE * 3) + b"0\r\n\r\n", chunked=True)
    turns: list[bool] = []
    other = gevent.spawn(lambda: turns.append(body.is_over))
    assert len(body.read()) == CHUNKS_AT_ONCE * 3
    assert turns == [False]
    other.join()
