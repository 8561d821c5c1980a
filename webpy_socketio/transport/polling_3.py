"""HTTP long-polling as Engine.IO 3 has it: only the payloads differ."""

from __future__ import annotations

from ..wire.engine_packets_3 import encode_binary_piece, encode_text_piece
from .outbox import Outbox, OutgoingPacket
from .outgoing_3 import Packet3
from .polling import TEXT, PollingCarrier

__all__ = ["PollingCarrier3"]

_BINARY = "application/octet-stream"


class PollingCarrier3(PollingCarrier):
    """The polling side of one session; its outbox holds `Packet3` only. ``takes_binary``: the client has not said
    ``b64=1``.
    """

    __slots__ = ("_content_type", "_takes_binary")

    def __init__(self, outbox: Outbox, max_payload: int, *, takes_binary: bool) -> None:
        super().__init__(outbox, max_payload)
        self._takes_binary = takes_binary
        self._content_type = TEXT

    @property
    def content_type(self) -> str:
        """Give the media type of the payload that was given last."""
        return self._content_type

    def _encode(self, packets: list[OutgoingPacket], control: str | None = None) -> bytes:
        # Only binary data makes a payload binary: clients read text from all others.
        is_binary = self._takes_binary and any(packet.attachments for packet in packets)
        self._content_type = _BINARY if is_binary else TEXT
        pieces: list[bytes] = []
        for packet in packets:
            assert isinstance(packet, Packet3)
            pieces += (packet.binary_piece(),) if is_binary else packet.pieces()
        if control is not None:
            last = control.encode()
            pieces.append(encode_binary_piece(last, binary=False) if is_binary else encode_text_piece(last))
        return b"".join(pieces)
