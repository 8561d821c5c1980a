"""How much of a request's body is still to come, and whether that is worth waiting for."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from gevent.pywsgi import Input

from webpy_socketio.gateway.request_body import WORTH_READING, RequestBody

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
