"""From one packet to many receivers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from webpy_socketio.hub.fanout import deliver, make_event
from webpy_socketio.transport.outbox import OutgoingPacket


class Loop:
    """The receivers' own thread, or the view of it from another one."""

    def __init__(self, *, is_mine: bool = True) -> None:
        self._is_mine = is_mine
        self._calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def is_mine(self) -> bool:
        return self._is_mine

    def post(self, function: Callable[..., object], *args: object) -> bool:
        self._calls.append((function, args))
        return True

    def make_calls(self) -> None:
        for function, args in self._calls:
            function(*args)


class Receiver:
    def __init__(self, takes: bool) -> None:
        self.takes = takes
        self.packets: list[OutgoingPacket] = []

    def put(self, packet: OutgoingPacket) -> bool:
        self.packets.append(packet)
        return self.takes


def test_all_receivers_share_one_packet_and_those_that_took_it_are_counted() -> None:
    receivers = [Receiver(True), Receiver(False), Receiver(True)]
    packet = make_event("/", None, ["x"])
    assert deliver(Loop(), receivers, packet) == 2
    assert all(receiver.packets == [packet] for receiver in receivers)


def test_nobody_is_no_error() -> None:
    assert deliver(Loop(), [], make_event("/", None, ["x"])) == 0


def test_a_foreign_thread_hands_the_packet_over_and_counts_all_receivers() -> None:
    loop = Loop(is_mine=False)
    receivers = [Receiver(True), Receiver(False)]
    packet = make_event("/", None, ["x"])
    assert deliver(loop, receivers, packet) == 2
    assert all(receiver.packets == [] for receiver in receivers)
    loop.make_calls()
    assert all(receiver.packets == [packet] for receiver in receivers)


@pytest.mark.parametrize(
    ("namespace", "id_", "arguments", "text"),
    [
        ("/", None, ["x", 1], b'42["x",1]'),
        ("/", 7, ["x"], b'427["x"]'),
        ("/side", 7, ["x"], b'42/side,7["x"]'),
    ],
)
def test_an_event_is_a_message_of_the_engine(
    namespace: str, id_: int | None, arguments: list[object], text: bytes
) -> None:
    packet = make_event(namespace, id_, arguments)
    assert (packet.text, packet.attachments, packet.droppable) == (text, [], True)


def test_bytes_become_attachments() -> None:
    packet = make_event("/", None, ["x", b"a"])
    assert (packet.text, packet.attachments) == (b'451-["x",{"_placeholder":true,"num":0}]', [b"a"])


def test_what_cannot_be_encoded_raises() -> None:
    with pytest.raises(TypeError):
        make_event("/", None, ["x", object()])
