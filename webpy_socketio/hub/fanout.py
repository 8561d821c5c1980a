"""From one packet to many receivers: it is encoded once, and they share the bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import encode_event

__all__ = ["Loop", "Receiver", "deliver", "make_event"]


class Receiver(Protocol):
    """Who can be sent a packet."""

    def put(self, packet: OutgoingPacket) -> bool:
        """Queue it, in the loop's own thread; False if it was dropped."""


class Loop(Protocol):
    """Where the receivers live."""

    def is_mine(self) -> bool:
        """Tell whether the caller runs in its thread."""

    def post(self, function: Callable[..., object], *args: object) -> bool:
        """Have a function called there."""


def make_event(namespace: str, id_: int | None, arguments: list[object]) -> OutgoingPacket:
    """Encode an event for any number of receivers. Raises ``TypeError`` or ``ValueError`` for what cannot be
    encoded.
    """
    text, attachments = encode_event(namespace, id_, arguments)
    return OutgoingPacket(b"4" + text, attachments, True)  # droppable: a keyword is 1 % of an echo


def deliver(loop: Loop, receivers: Collection[Receiver], packet: OutgoingPacket) -> int:
    """Queue a packet for each receiver; give the number of those that took it (from a foreign thread, of all)."""
    if loop.is_mine():
        return _put(receivers, packet)
    loop.post(_put, list(receivers), packet)
    return len(receivers)


def _put(receivers: Collection[Receiver], packet: OutgoingPacket) -> int:
    count = 0
    for receiver in receivers:
        if receiver.put(packet):
            count += 1
    return count
