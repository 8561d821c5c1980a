"""A carrier with compression, and what leaves before the close frame of a violation."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import gevent
import pytest

from tests.support.transcripts import client_frame
from webpy_socketio.config import Config
from webpy_socketio.transport.arrivals import Arrivals
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.timers import TimerWheel
from webpy_socketio.transport.turn import Turn
from webpy_socketio.transport.websocket import WebSocketCarrier
from webpy_socketio.types import Excess
from webpy_socketio.wire.deflate import Agreement
from webpy_socketio.wire.frames import TEXT, encode_close, encode_frame

LONG = b"a message that is long enough " * 100


class Echo:
    """Queues an answer at once."""

    def receive_message(self, carrier: WebSocketCarrier, message: str | bytes) -> None:
        assert isinstance(message, str)
        assert carrier.outbox is not None
        carrier.outbox.push(OutgoingPacket(message.encode()))
        carrier.wake()

    def receive_close(self, carrier: WebSocketCarrier, code: int, reason: str, violation: bool) -> None: ...

    def receive_excess(self, carrier: WebSocketCarrier, excess: Excess) -> None: ...

    def receive_room(self, carrier: WebSocketCarrier) -> None: ...

    def receive_failure(self) -> None:
        raise AssertionError


def fail() -> None:
    raise AssertionError


@pytest.fixture
def wheel() -> Iterator[TimerWheel]:
    wheel = TimerWheel(gevent.get_hub().loop, fail)
    yield wheel
    wheel.close()


def talk(wheel: TimerWheel, data: bytes, most: int, agreement: Agreement | None = None) -> bytes:
    """Say something to an echo; give the first ``most`` frames that it answers, all shorter than 65,536 bytes."""
    loop, config = gevent.get_hub().loop, Config(compression=1_000)
    ours, theirs = socket.socketpair()
    with theirs:
        carrier = WebSocketCarrier(ours, Arrivals(loop), Turn(loop), wheel, config, agreement)
        carrier.outbox = Outbox(config, Budget(config.outbox_ceiling))
        carrier.start(Echo())
        theirs.sendall(data)
        theirs.settimeout(5)
        with theirs.makefile("rb") as stream:
            answer = b"".join(read_frame(stream) for _ in range(most))
        carrier.abort()
    return answer


def read_frame(stream: BinaryIO) -> bytes:
    head = stream.read(2)
    if head[1] == 126:
        head += stream.read(2)
        return head + stream.read(int.from_bytes(head[2:], "big"))
    return head + stream.read(head[1])


def test_answers_leave_before_the_close_frame_of_a_violation(wheel: TimerWheel) -> None:
    answer = talk(wheel, client_frame(TEXT, b"one") + client_frame(0x3), 2)
    assert answer == encode_frame(TEXT, b"one") + encode_close(1002, "unknown opcode 3")


def test_with_an_agreement_messages_are_compressed_from_the_threshold_on(wheel: TimerWheel) -> None:
    data = client_frame(TEXT, b"short") + client_frame(TEXT, LONG)
    answer = talk(wheel, data, 2, Agreement(15, None, False))
    assert answer.startswith(encode_frame(TEXT, b"short") + b"\xc1")
    packed = answer[len(encode_frame(TEXT, b"short")) + 2 :]
    assert zlib.decompressobj(-15).decompress(packed + b"\0\0\xff\xff") == LONG


def test_without_one_they_are_not(wheel: TimerWheel) -> None:
    assert talk(wheel, client_frame(TEXT, LONG), 1) == encode_frame(TEXT, LONG)
