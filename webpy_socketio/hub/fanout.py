"""From one packet to many receivers: it is encoded once, and they share the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import encode_event

__all__ = ["Receiver", "deliver", "make_event"]


class Receiver(Protocol):
    """Who can be sent a packet."""

    def queue(self, packet: OutgoingPacket) -> bool:
        """Queue it; False if it was dropped."""


def make_event(namespace: str, id_: int | None, arguments: list[object]) -> OutgoingPacket:
    """Encode an event for any number of receivers. Raises ``TypeError`` or ``ValueError`` for what cannot be
    encoded.
    """
    text, attachments = encode_event(namespace, id_, arguments)
    return OutgoingPacket(b"4" + text, attachments, droppable=True)


def deliver(receivers: Iterable[Receiver], packet: OutgoingPacket) -> int:
    """Queue a packet for each receiver; give the number of those that took it."""
    count = 0
    for receiver in receivers:
        if receiver.queue(packet):
            count += 1
    return count
