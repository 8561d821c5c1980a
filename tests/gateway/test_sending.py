"""Sending over a real socket to somebody who reads slowly, or not at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import gevent
import pytest

from webpy_socketio.gateway.sending import send_all


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.socket() as theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            theirs.connect(listener.getsockname())
            ours, _ = listener.accept()
            with ours:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 500_000)
                yield ours, theirs


def read_slowly(sock: socket.socket, size: int, delay: float) -> int:
    received = 0
    while received < size:
        received += len(sock.recv(50_000))
        gevent.sleep(delay)
    return received


def test_all_is_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = gevent.spawn(read_slowly, theirs, 3_000_000, 0)
    send_all(ours, b"x" * 3_000_000, 5)
    assert reader.get(timeout=10) == 3_000_000


def test_nothing_is_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    send_all(ours, b"", 0.1)


def test_who_reads_slowly_gets_all_however_long_it_takes(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    began = monotonic()
    reader = gevent.spawn(read_slowly, theirs, 3_000_000, 0.04)
    send_all(ours, b"x" * 3_000_000, 1)
    assert monotonic() - began > 2  # twice the patience, and more
    assert reader.get(timeout=10) == 3_000_000


def test_who_does_not_read_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    began = monotonic()
    with pytest.raises(TimeoutError):
        send_all(ours, b"x" * 3_000_000, 0.3)
    assert monotonic() - began > 0.25


def test_who_stops_to_read_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = gevent.spawn(read_slowly, theirs, 1_000_000, 0)
    with pytest.raises(TimeoutError):
        send_all(ours, b"x" * 6_000_000, 0.3)
    assert reader.get(timeout=10) >= 1_000_000


def test_who_is_gone_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionError):
        send_all(ours, b"x" * 3_000_000, 5)


def test_the_sockets_own_time_out_is_left_as_it_was(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.settimeout(7)
    send_all(ours, b"x", 1)
    theirs.close()
    with pytest.raises(OSError):
        send_all(ours, b"x" * 3_000_000, 1)
    assert ours.gettimeout() == 7
