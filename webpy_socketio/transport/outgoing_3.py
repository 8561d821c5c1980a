"""Packets as Engine.IO 3 writes them: made from the ordinary ones when the first receiver of that kind turns up, once.

So a broadcast to clients of both generations is encoded once for each of them, and a packet that no old client gets
costs nothing more.
"""

from __future__ import annotations

from ..wire import frames
from ..wire.deflate import Deflater
from ..wire.engine_packets_3 import MESSAGE_BYTE, encode_base64, encode_binary_piece, encode_text_piece
from .outbox import OutgoingPacket

__all__ = ["Base64Packet3", "Packet3", "translate"]


class Packet3(OutgoingPacket):
    """A packet for a client that takes binary data: its attachments begin with their type."""

    __slots__ = ("_binary_piece", "_original")

    def __init__(self, original: OutgoingPacket) -> None:
        attachments = [MESSAGE_BYTE + data for data in original.attachments or ()]
        super().__init__(original.text, attachments, original.droppable)
        self._original = original
        self._binary_piece: bytes | None = None

    @property
    def binaries(self) -> list[bytes] | None:
        """Give the binary data of the application, without its type."""
        return self._original.attachments

    def frames(self) -> bytes:
        """Encode for a WebSocket; text alone is the same in both generations."""
        return super().frames() if self.attachments else self._original.frames()

    def deflated_frames(self, deflater: Deflater) -> bytes:
        """Encode for a WebSocket with compression, likewise."""
        return super().deflated_frames(deflater) if self.attachments else self._original.deflated_frames(deflater)

    def pieces(self) -> tuple[bytes, ...]:
        """Encode for a text payload of long-polling."""
        if self._pieces is None:
            packets = (self.text, *map(encode_base64, self._original.attachments or ()))
            self._pieces = tuple(map(encode_text_piece, packets))
        return self._pieces

    def binary_piece(self) -> bytes:
        """Encode for a binary payload of long-polling."""
        if self._binary_piece is None:
            attachments = [encode_binary_piece(data, binary=True) for data in self.attachments or ()]
            self._binary_piece = encode_binary_piece(self.text, binary=False) + b"".join(attachments)
        return self._binary_piece


class Base64Packet3(Packet3):
    """A packet for a client that said ``b64=1``: its attachments are text, on a WebSocket too."""

    __slots__ = ()

    def frames(self) -> bytes:
        """Encode for a WebSocket: text frames only."""
        if self._frames is None:
            packets = (self.text, *map(encode_base64, self._original.attachments or ()))
            self._frames = b"".join([frames.encode_frame(frames.TEXT, packet) for packet in packets])
        return self._frames


def translate(packet: OutgoingPacket, kind: type[Packet3]) -> Packet3:
    """Give a packet as clients of this kind get it, the same one to all of them."""
    try:
        variants = packet.variants
    except AttributeError:  # this is the first of them
        variants = packet.variants = {}
    variant = variants.get(kind)
    if variant is None:
        variant = variants[kind] = kind(packet)
    return variant
