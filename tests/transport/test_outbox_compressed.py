"""A packet is compressed once, however many clients get it."""

from __future__ import annotations

from webpy_socketio.config import Config
from webpy_socketio.transport.outbox import Budget, Outbox, OutgoingPacket
from webpy_socketio.wire.deflate import Deflater


class CountingDeflater(Deflater):
    """Counts what it compresses."""

    def __init__(self, window_bits: int = 15, threshold: int = 100) -> None:
        super().__init__(window_bits, threshold)
        self.count = 0

    def encode_frames(self, plain: bytes) -> bytes:
        self.count += 1
        return super().encode_frames(plain)


def outbox_with(*packets: OutgoingPacket) -> Outbox:
    outbox = Outbox(Config(), Budget(1_000_000))
    for packet in packets:
        assert outbox.push(packet)
    return outbox


def test_a_broadcast_is_compressed_once_for_all_receivers() -> None:
    packet = OutgoingPacket(b"42" + b"x" * 1_000, [b"y" * 1_000], droppable=True)
    deflaters = [CountingDeflater() for _ in range(100)]
    taken = {outbox_with(packet).take_frames(100_000, deflater) for deflater in deflaters}
    assert sum(deflater.count for deflater in deflaters) == 1
    assert len(taken) == 1
    assert len(taken.pop()) < 100
    assert outbox_with(packet).take_frames(100_000) == packet.frames(), "others get it as it is"


def test_windows_that_differ_beyond_the_packets_size_share_it() -> None:
    packet = OutgoingPacket(b"42" + b"x" * 1_000)
    wide, narrow, narrowest = (CountingDeflater(bits) for bits in (15, 11, 9))
    for deflater in (wide, narrow, narrowest):
        outbox_with(packet).take_frames(100_000, deflater)
    assert (wide.count, narrow.count, narrowest.count) == (1, 0, 1)


def test_below_the_threshold_nothing_is_tried() -> None:
    packet, deflater = OutgoingPacket(b"42[]"), CountingDeflater()
    assert outbox_with(packet, packet).take_frames(100_000, deflater) == packet.frames() * 2
    assert deflater.count == 0
