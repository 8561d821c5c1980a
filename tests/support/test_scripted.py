"""The scripted socket and its peer."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from tests.support.scripted import Peer, ScriptedSocket, let_the_loop_turn, scripted_pair

Pair = tuple[ScriptedSocket, Peer]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = scripted_pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_without_a_script_it_is_a_socket(pair: Pair) -> None:
    ours, theirs = pair
    assert ours.send(b"abc") == 3
    assert theirs.receive(3) == b"abc"
    theirs.send(b"xyz")
    assert ours.recv(10) == b"xyz"
    assert ours.fileno() >= 0


def test_a_send_takes_what_the_script_says_and_is_counted(pair: Pair) -> None:
    ours, theirs = pair
    ours.sends = [2, BlockingIOError(), 0]
    assert ours.send(b"abc") == 2
    with pytest.raises(BlockingIOError):
        ours.send(b"c")
    assert ours.send(b"c") == 0
    assert ours.send(b"c") == 1
    assert ours.sent == [b"abc", b"c", b"c", b"c"]
    assert theirs.receive(3) == b"abc"


def test_a_receive_gives_what_the_script_says(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"real")
    ours.receives = [b"scripted", ConnectionResetError()]
    assert ours.pending() == 8
    assert ours.recv(100) == b"scripted"
    with pytest.raises(ConnectionResetError):
        ours.recv(100)
    assert ours.recv(100) == b"real"


def test_a_peer_reads_frames_and_the_end(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(b"\x81\x02hi" + b"\x82\x7e\x00\x80" + bytes(128) + b"\x82\x7f" + (200).to_bytes(8, "big") + bytes(200))
    assert [theirs.receive_frame() for _ in range(3)] == [(1, b"hi"), (2, bytes(128)), (2, bytes(200))]
    ours.close()
    assert theirs.receive_frame() == (-1, b"")
    assert theirs.is_at_end()
    assert ours.is_closed


def test_when_the_loop_has_turned_what_was_sent_has_arrived(pair: Pair) -> None:
    ours, theirs = pair
    got: list[bytes] = []
    watcher = gevent.get_hub().loop.io(ours.fileno(), 1)
    watcher.start(lambda: got.append(ours.recv(10)))
    theirs.send(b"x")
    let_the_loop_turn()
    watcher.stop()
    watcher.close()
    assert got == [b"x"]


def test_a_peer_tells_a_byte_from_the_end(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(b"x")
    assert not theirs.is_at_end()
