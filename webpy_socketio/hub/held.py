"""What is sent to a socket before its CONNECT reply."""

from __future__ import annotations

from ..transport.outbox import OutgoingPacket

__all__ = ["Held"]


class Held:
    """The packets that wait for the CONNECT reply; bounded in bytes, as an outbox is."""

    __slots__ = ("packets", "size")

    def __init__(self) -> None:
        self.packets: list[OutgoingPacket] = []
        self.size = 0

    def add(self, packet: OutgoingPacket, limit: int) -> bool:
        """Keep a packet; False if it does not fit."""
        if self.size + packet.size > limit:
            return False
        self.size += packet.size
        self.packets.append(packet)
        return True
