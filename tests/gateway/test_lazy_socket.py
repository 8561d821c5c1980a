"""A raw socket that becomes gevent's only when somebody has to wait."""

from __future__ import annotations

import _socket
import os
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.support.scripted import Peer
from webpy_socketio.gateway.lazy_socket import LazySocket, NoBody, open_reader


class Pair:
    """A lazy socket and its peer."""

    def __init__(self, early_data: bytes = b"") -> None:
        ours, theirs = _socket.socketpair()
        ours.setblocking(False)
        self.raw = ours
        self.descriptor = ours.fileno()
        self.socket = LazySocket(ours, early_data)
        self.peer = Peer(socket.socket(fileno=theirs.detach()))

    @property
    def is_raw(self) -> bool:
        return self.socket._wrapped is None

    def is_open(self) -> bool:
        try:
            os.fstat(self.descriptor)
        except OSError:
            return False
        return True


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.socket.close()
    pair.peer.close()


def read_into(sock: Any, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: sock.recv_into(memoryview(buffer))])


def send_for_ever(sock: Any) -> None:
    while True:
        sock.send(b"x" * 100_000)


class TestSending:
    def test_what_fits_into_the_kernels_buffer_needs_no_watchers(self, pair: Pair) -> None:
        assert pair.socket.send(b"hello") == 5
        assert pair.peer.receive(5) == b"hello"
        assert pair.is_raw

    def test_what_the_kernel_takes_at_once_needs_none_either(self, pair: Pair) -> None:
        assert pair.socket.send_now(b"hello") == 5
        taken = [pair.socket.send_now(b"x" * 1_000_000) for _ in range(3)]
        assert 0 < taken[0] < 1_000_000
        assert taken[-1] == 0
        assert pair.is_raw
        pair.socket.wrap()
        assert pair.socket.send_now(b"x") == 0

    def test_of_a_broken_connection_the_next_call_tells(self, pair: Pair) -> None:
        pair.peer.close()
        assert pair.socket.send_now(b"x") == 0
        with pytest.raises(BrokenPipeError):
            pair.socket.send(b"x")

    def test_who_has_to_wait_waits_in_its_greenlet(self, pair: Pair) -> None:
        data = b"x" * 1_000_000

        def send_all() -> None:
            sent = 0
            while sent < len(data):
                sent += pair.socket.send(data[sent:])

        sending = gevent.spawn(send_all)
        assert pair.peer.receive(len(data)) == data
        sending.get(timeout=5)
        assert not pair.is_raw

    def test_no_longer_than_the_timeout(self, pair: Pair) -> None:
        pair.socket.settimeout(0.01)
        with pytest.raises(TimeoutError):
            send_for_ever(pair.socket)

    def test_a_broken_connection_is_an_error(self, pair: Pair) -> None:
        pair.peer.close()
        with pytest.raises(BrokenPipeError):
            pair.socket.send(b"x")


class TestReading:
    def test_it_begins_with_what_was_read_before(self) -> None:
        pair = Pair(b"early")
        assert (read_into(pair.socket, 3), read_into(pair.socket, 3)) == (b"ear", b"ly")
        assert pair.is_raw
        pair.peer.send(b"late")
        assert read_into(pair.socket, 10) == b"late"
        pair.socket.close()

    def test_who_does_not_want_to_wait_reads_no_more_than_that(self) -> None:
        pair = Pair(b"early")
        pair.peer.send(b"late")
        pair.socket.setblocking(False)
        assert read_into(pair.socket, 10) == b"early"
        with pytest.raises(BlockingIOError):
            read_into(pair.socket, 10)
        assert pair.is_raw
        pair.socket.close()

    def test_the_end_is_empty(self, pair: Pair) -> None:
        pair.peer.close()
        assert read_into(pair.socket, 10) == b""

    def test_a_time_out_holds_although_it_was_set_before_there_was_anything_to_wait_for(self, pair: Pair) -> None:
        pair.socket.settimeout(0.01)
        assert pair.socket.gettimeout() == 0.01
        with pytest.raises(TimeoutError):
            read_into(pair.socket, 10)
        pair.socket.settimeout(None)
        assert pair.socket.wrap().gettimeout() is None

    def test_a_buffered_reader_reads_lines_across_both(self) -> None:
        pair = Pair(b"GET / HT")
        reader = open_reader(pair.socket)
        pair.peer.send(b"TP/1.1\r\nmore")
        assert reader.readline() == b"GET / HTTP/1.1\r\n"
        reader.close()  # leaves the socket to whoever serves the connection
        assert pair.is_open()
        pair.socket.close()

    def test_a_buffered_reader_tells_what_is_left_without_waiting(self) -> None:
        pair = Pair(b"line\nrest")
        reader = open_reader(pair.socket)
        assert reader.readline() == b"line\n"
        pair.socket.setblocking(False)
        assert reader.peek() == b"rest"
        assert reader.read(4) == b"rest"
        assert reader.peek() == b""
        pair.socket.close()


class TestOwnership:
    def test_closing_closes_it_raw_or_not(self) -> None:
        for use in (lambda sock: None, lambda sock: sock.wrap()):
            pair = Pair()
            use(pair.socket)
            pair.socket.close()
            pair.socket.close()
            assert pair.peer.is_at_end()
            assert pair.socket.fileno() == -1
            with pytest.raises(OSError, match="somebody else's"):
                pair.socket.recv(1)

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_it_is_given_away_open_with_what_nobody_has_read(self, wrapped: bool) -> None:
        pair = Pair(b"early")
        read_into(pair.socket, 2)
        if wrapped:
            pair.socket.wrap()
        raw, unread = pair.socket.unwrap()
        assert (raw.fileno(), unread) == (pair.descriptor, b"rly")
        assert (type(raw), raw.gettimeout()) == (_socket.socket, 0.0)
        pair.socket.close()
        raw.send(b"still open")
        assert pair.peer.receive(10) == b"still open"
        raw.close()

    def test_it_has_its_descriptor_as_long_as_it_owns_it(self, pair: Pair) -> None:
        assert pair.socket.fileno() == pair.descriptor
        pair.socket.wrap()
        assert pair.socket.fileno() == pair.descriptor

    def test_whatever_else_gevents_socket_has_it_has_too(self, pair: Pair) -> None:
        pair.socket.shutdown(socket.SHUT_WR)
        assert pair.peer.is_at_end()
        assert pair.socket.family == socket.AF_UNIX

    def test_a_forked_child_drops_its_copy_without_a_word(self, pair: Pair) -> None:
        parents = os.dup(pair.descriptor)
        assert pair.socket.abandon() is None
        assert not pair.is_open()
        with pytest.raises(OSError, match="Bad file descriptor"):
            pair.socket.send(b"from the child")
        os.write(parents, b"the parent's")
        os.close(parents)
        assert pair.peer.receive(12) == b"the parent's"

    def test_gevents_socket_needs_more_care(self, pair: Pair) -> None:
        wrapped = pair.socket.wrap()
        assert pair.socket.abandon() is wrapped


class TestNoBody:
    def test_there_is_nothing_to_read_and_nothing_left(self) -> None:
        reader = NoBody()
        assert (reader.read(), reader.readline(), list(reader), reader.peek(5)) == (b"", b"", [], b"")
        assert (reader.is_over, reader.is_unwanted) == (True, False)
        reader._discard()
        assert not reader.closed
