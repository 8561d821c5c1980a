"""Socket.IO packets out of Engine.IO messages: a header in text, then its binary attachments, one message each."""

from __future__ import annotations

from ..errors import ProtocolError
from ..types import Excess
from ..wire.socket_packets import BINARY_EVENT, Packet, decode_packet

__all__ = ["PacketStream"]


class PacketStream:
    """The machine of one client's incoming packets. ``max_attachments`` bounds those of one packet."""

    __slots__ = ("_max_attachments", "_unfinished")

    def __init__(self, max_attachments: int) -> None:
        self._max_attachments = max_attachments
        self._unfinished: Packet | None = None

    def receive_message(self, message: str | bytes) -> Packet | ProtocolError | None:
        """Take one message; give the packet that it completes, None, or what is wrong with it."""
        if isinstance(message, str):
            if self._unfinished is not None:
                return ProtocolError("text in place of a binary attachment")
            try:
                packet = decode_packet(message)
            except ProtocolError as error:
                return error
            return packet if packet.type < BINARY_EVENT else self._begin(packet)
        return self._receive_attachment(message)

    def _begin(self, packet: Packet) -> Packet | ProtocolError | None:
        if packet.count > self._max_attachments:
            excess = Excess("max_attachments", packet.count, self._max_attachments)
            return ProtocolError(f"{packet.count} attachments, more than {self._max_attachments}", 1008, excess)
        packet.attachments = []
        if packet.count:
            self._unfinished = packet
            return None
        return packet

    def _receive_attachment(self, data: bytes) -> Packet | ProtocolError | None:
        packet = self._unfinished
        if packet is None or packet.attachments is None:
            return ProtocolError("binary data that no packet announced")
        packet.attachments.append(data)
        if len(packet.attachments) < packet.count:
            return None
        self._unfinished = None
        return packet
