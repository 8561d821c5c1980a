from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import gevent
import pytest

from tests.support.fault_proxy import FaultProxy, frame_size, payload_of
from tests.support.raw import TEXT, Connection, frame
from tests.support.waiting import wait_until

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.greenlets = [gevent.spawn(self._accept)]

    def _accept(self) -> None:
        while True:
            self.greenlets.append(gevent.spawn(self._serve, self.listener.accept()[0]))

    def _serve(self, sock: socket.socket) -> None:
        try:
            while data := sock.recv(65_536):
                self.heard += data
                sock.sendall(data)
        except OSError:
            pass
        self.ended += 1
        sock.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    gevent.killall(server.greenlets)
    server.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(echo.listener.getsockname()[1]) as running:
        yield running


def test_it_passes_on_what_comes_and_the_ends(proxy: FaultProxy, echo: Echo) -> None:
    with Connection(proxy.port) as connection:
        connection.send(b"x" * 1_000_000)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_to_end() == b"x" * 1_000_000
    assert proxy.connections == 1
    wait_until(lambda: echo.ended == 1)


def test_it_delays_both_ways(proxy: FaultProxy) -> None:
    proxy.delay = 0.05
    with Connection(proxy.port) as connection:
        began = monotonic()
        connection.send(b"late")
        assert connection._read(4) == b"late"
        assert monotonic() - began >= 0.1


def test_it_throttles(proxy: FaultProxy) -> None:
    proxy.rate = 100_000
    with Connection(proxy.port) as connection:
        began = monotonic()
        connection.send(b"x" * 20_000)
        assert len(connection._read(20_000)) == 20_000
        assert monotonic() - began >= 0.1


@pytest.mark.parametrize(("keep", "passed"), [(None, b"one two"), (0, b""), (5, b"one t")])
def test_it_cuts_where_a_text_comes_by(proxy: FaultProxy, echo: Echo, keep: int | None, passed: bytes) -> None:
    rule = proxy.cut_at(b"two", "up", keep=keep)
    with Connection(proxy.port) as connection:
        connection.send(b"one two")
        assert connection.is_closed_by_server() or passed
    wait_until(lambda: echo.ended == 1)
    assert echo.heard == passed
    assert rule.struck
    with Connection(proxy.port) as connection:  # once only
        connection.send(b"two")
        assert connection._read(3) == b"two"


def test_a_reset_is_one_for_both(proxy: FaultProxy, echo: Echo) -> None:
    with Connection(proxy.port) as connection:
        connection.send(b"there")
        assert connection._read(5) == b"there"
        proxy.cut("reset")
        with pytest.raises(ConnectionError):
            connection.read_to_end()
    wait_until(lambda: echo.ended == 1)


def test_silence_leaves_both_ends_open(proxy: FaultProxy, echo: Echo) -> None:
    with Connection(proxy.port) as connection:
        connection.send(b"heard")
        assert connection._read(5) == b"heard"
        proxy.cut("silence")
        connection.send(b"not heard")
        assert not connection.has_data(0.1)
    assert (echo.heard, echo.ended) == (b"heard", 0)


def test_masked_frames_are_told_apart_and_read(proxy: FaultProxy, echo: Echo) -> None:
    rule = proxy.cut_at(b"secret", "up", keep=0)
    with Connection(proxy.port) as connection:
        connection.send(SWITCHED)  # the echo of which makes frames of what follows
        assert connection._read(len(SWITCHED)) == SWITCHED
        first, second = frame(TEXT, "hello " * 50), frame(TEXT, "a secret")
        connection.send(first[:100])
        connection.send(first[100:] + second)
        wait_until(lambda: echo.ended == 1)
    assert echo.heard == SWITCHED + first
    assert rule.struck


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", [0, 125, 126, 70_000])
def test_frames_are_measured(masked: bool, size: int) -> None:
    encoded = frame(TEXT, b"x" * size, masked=masked)
    assert frame_size(encoded + b"more") == len(encoded)
    assert payload_of(encoded) == b"x" * size
    assert frame_size(encoded[:1]) == 0
